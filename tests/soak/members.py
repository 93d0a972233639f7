"""Members of a soak: what they type and press, and what must be true afterwards."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from rehearsal.answers import Answer, AnswerState
from rehearsal.cdn import SentFile
from rehearsal.errors import RehearsalError
from rehearsal.guilds import Guild
from rehearsal.people import Person
from rehearsal.recordings import RECORDINGS
from rehearsal.records import Channel, Message
from rehearsal.server import Rehearsal
from tests.scenes import until

PATIENCE_SECONDS: Final = 20.0
"""So long a member looks at one answer before they do something else."""

_MENU: Final = "Choose what to do"
_WORDS: Final = (
    *("amber", "birch", "cedar", "dahlia", "ember", "fern", "ginger", "hazel", "indigo", "juniper"),
    *("kelp", "laurel", "maple", "nettle", "olive", "poppy", "quince", "rowan", "saffron", "thistle"),
)
_LONG: Final = (
    " It sat on the wire above the yard, and nobody had seen it come. In the evening it began to speak, "
    "first with one voice, and then with all it had heard. The children laughed when they knew their own."
)
_ENDED: Final = (AnswerState.FAILED, AnswerState.DELETED, AnswerState.MODAL)


@dataclass(eq=False, slots=True)
class Asked:
    """Something that was asked of the bot. ``source`` is the message with the button, for a press."""

    what: str
    answer: Answer
    at: float
    source: Message | None = None
    source_before: tuple[object, ...] = ()
    during: str = ""
    """What was wrong at that moment."""

    @property
    def is_final(self) -> bool:
        """Whether the member knows what became of it."""
        answer = self.answer
        if answer.state in _ENDED or answer.followups or answer.choices is not None:
            return True
        if answer.state is AnswerState.REPLIED and answer.content and not answer.content.endswith(" …"):
            return True
        changed = self.source is not None and _looks(self.source) != self.source_before
        return changed and answer.acknowledged_after is not None


def _looks(message: Message) -> tuple[object, ...]:
    return message.content, tuple(message.buttons), message.deleted


@dataclass(slots=True)
class Truth:
    """What must be true, by what members were told: kept up by everybody who does something about it.

    ``saved`` are the names of voices that were said to be saved, and ``speakers`` tell whose voices they are;
    nobody is heard in one that was saved from a take, so it outlives what its owner takes back.
    ``silent`` are the words of texts in voices that had been taken back before they were typed.
    """

    saved: dict[str, Guild] = field(default_factory=dict)
    speakers: dict[str, int] = field(default_factory=dict)
    taken_back: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)

    def note_saved(self, name: str, guild: Guild, speaker: Person | None) -> None:
        self.saved[name] = guild
        if speaker is not None:
            self.speakers[name] = speaker.id

    def forget(self, *names: str) -> None:
        """Expect nothing of these voices any more: somebody is about to delete them."""
        for name in names:
            self.saved.pop(name, None)

    def of_speaker(self, speaker: Person) -> list[str]:
        return [name for name, speaker_id in self.speakers.items() if speaker_id == speaker.id]


@dataclass(slots=True)
class Server:
    """One server: two voice channels, members in and out of them, one of them a moderator."""

    guild: Guild
    general: Channel
    voice: tuple[Channel, Channel]
    people: list[Person]
    shown: list[Asked] = field(default_factory=list)
    """Answers of the last minutes, whose buttons may be pressed."""

    @property
    def moderator(self) -> Person:
        return self.people[0]


class Crowd:
    """Everybody who uses the bot. ``log`` has all that was asked; ``impossible`` what the app refused."""

    def __init__(self, rehearsal: Rehearsal, servers: list[Server], rng: random.Random) -> None:
        self.rehearsal = rehearsal
        self.servers = servers
        self.truth = Truth()
        self.log: list[Asked] = []
        self.count: Counter[str] = Counter()
        self.impossible: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.fault = ""
        """What is wrong now, or was last."""
        self._rng = rng
        self._names = (f"Voice {number}" for number in count(1))
        self._openings = _openings()

    async def live(self, server: Server, person: Person, pause: float) -> None:
        """Let ``person`` do one thing after another, until cancelled."""
        acts = [act for act, weight in _ACTS for _ in range(weight)]
        member = Member(self, server, person, random.Random(self._rng.random()))
        while True:
            act = member.rng.choice(acts)
            try:
                await act(member)
            except RehearsalError as error:  # the app would not let them: the button is gone, for example
                self.impossible[str(error)[:60]] += 1
            except TimeoutError:  # nobody's fault where the main socket is down; else answers are missing
                self.impossible[f"told of it late, after: {self.fault}"] += 1
            await asyncio.sleep(member.rng.uniform(0, 2 * pause))

    def new_name(self) -> str:
        return next(self._names)

    def new_text(self, rng: random.Random) -> tuple[str, str]:
        """Return a text, and the words in it that no other has."""
        opening = next(self._openings)
        text = f"{opening}, said the bird."
        return (text + _LONG if rng.random() < 0.1 else text), opening

    def note(self, asked: Asked) -> None:
        self.log.append(asked)
        self.count[asked.what] += 1

    def settle(self) -> None:
        """Forget what is finally answered; only what became of it is counted."""
        for asked in [asked for asked in self.log if asked.is_final and asked.answer.failure is None]:
            self.ended[_kind(asked)] += 1
            self.log.remove(asked)


def _kind(asked: Asked) -> str:
    """Return the answer in few words, without names and numbers."""
    words = asked.answer.followups[-1].content if asked.answer.followups else asked.answer.content
    words = "\n".join(line for line in words.splitlines() if not line.startswith("> "))
    first = words.partition("\n")[0].partition("**")[0].partition("<")[0].strip()
    return first[:70] or asked.answer.state.value


def _openings() -> Iterator[str]:
    for number in count():
        digits = [number // 20**place % 20 for place in range(4)]
        yield "the " + " ".join(_WORDS[digit] for digit in digits)


class Member:
    """One member, and what they do."""

    def __init__(self, crowd: Crowd, server: Server, person: Person, rng: random.Random) -> None:
        self.crowd = crowd
        self.server = server
        self.person = person
        self.rng = rng
        self._recording = RECORDINGS[self.rng.randrange(2)]

    # -- asking -----------------------------------------------------------------------------------

    async def asked(self, what: str, typing: Awaitable[Answer], source: Message | None = None) -> Asked:
        """Ask, and look at the answer for a while."""
        before = _looks(source) if source is not None else ()
        at = asyncio.get_running_loop().time()
        asked = Asked(what, await typing, at, source, before, self.crowd.fault)
        self.crowd.note(asked)
        with suppress(TimeoutError):
            await until(lambda: asked.is_final, within=PATIENCE_SECONDS)
        return asked

    async def typed(self, command: str, **options: object) -> Asked:
        return await self.asked(f"/{command}", self.person.slash(self.server.general, command, **options))

    async def pressed(self, message: Message | Answer, label: str) -> Asked:
        shown = message.message if isinstance(message, Answer) else message
        if shown is None or label not in shown.buttons:
            raise RehearsalError(f"there is no button {label}")
        return await self.asked(f"[{label}]", self.person.press(shown, label), shown)

    async def chosen(self, message: Message | Answer, act: str | None = None) -> Asked:
        """Press More…, and choose ``act`` from the menu, or whatever it offers."""
        pressed = await self.pressed(message, "More…")
        with suppress(TimeoutError):
            await until(lambda: bool(pressed.answer.followups), within=PATIENCE_SECONDS)
        menu = next((one for one in pressed.answer.followups if _MENU in one.menus), None)
        if menu is None:
            return pressed
        act = act or self.rng.choice(menu.menus[_MENU])
        return await self.asked(f"[More… {act}]", self.person.select(menu, _MENU, act), menu)

    def sent(self) -> SentFile:
        return SentFile(self._recording.path.name, self._recording.path.read_bytes())

    def some_voice(self) -> str | None:
        """Return the name of some voice of this server, of those that were taken back too."""
        truth, guild = self.crowd.truth, self.server.guild
        names = [name for name, of in truth.saved.items() if of is guild]
        if self.rng.random() < 0.2:
            names = sorted(truth.taken_back)[-10:] or names
        return self.rng.choice(names) if names else None

    # -- speaking ---------------------------------------------------------------------------------

    async def speak(self) -> None:
        text, opening = self.crowd.new_text(self.rng)
        voice = self.some_voice() if self.rng.random() < 0.5 else None
        if voice is not None and voice in self.crowd.truth.taken_back:
            self.crowd.truth.silent.add(opening)
        to = self.rng.choice(
            [None, "here, as a file", "my voice channel", "both", "here, as a voice message"]
        )
        self.server.shown.append(await self.typed("speak", text=text, voice=voice, output=to))
        del self.server.shown[:-30]

    async def speak_twice(self) -> None:
        """Type what somebody else types at the same moment, so that one making is shared."""
        text, _opening = self.crowd.new_text(self.rng)
        other = Member(self.crowd, self.server, self.rng.choice(self.server.people), self.rng)
        async with asyncio.TaskGroup() as typing:
            for member in (self, other):
                typing.create_task(member.typed("speak", text=text))

    async def dialogue(self) -> None:
        text = "Alice: hello there\nBob: " + self.crowd.new_text(self.rng)[0]
        await self.typed("speak", text=text, output="here, as a file")

    async def clone(self) -> None:
        asked = await self.typed("clone", text=self.crowd.new_text(self.rng)[0], recording=self.sent())
        if "This is my own voice" in asked.answer.buttons:
            await self.pressed(asked.answer, "This is my own voice")
        self.server.shown.append(asked)

    async def press_something(self) -> None:
        shown = [asked for asked in self.server.shown if asked.answer.buttons]
        if not shown:
            return
        answer = self.rng.choice(shown).answer
        labels = [label for label in answer.buttons if label != "Accept, and turn cloning on"]
        if not labels:
            return
        label = self.rng.choice(labels)
        pressed = await (self.chosen(answer) if label == "More…" else self.pressed(answer, label))
        if pressed.answer.modal is not None:
            name = self.crowd.new_name()
            submitted = await self.asked("form", self.person.submit(pressed.answer, {"Name": name}))
            if submitted.answer.content.startswith("Saved as"):
                self.crowd.truth.note_saved(name, self.server.guild, speaker=None)

    async def press_together(self) -> None:
        """Have one generation as a voice message, several at once."""
        shown = [asked for asked in self.server.shown if "More…" in asked.answer.buttons]
        if not shown:
            return
        answer = self.rng.choice(shown).answer
        async with asyncio.TaskGroup() as pressing:
            for person in self.server.people:
                member = Member(self.crowd, self.server, person, self.rng)
                pressing.create_task(member._choose_if_there(answer, "Send as voice message"))

    async def _choose_if_there(self, answer: Answer, act: str) -> None:
        try:
            await self.chosen(answer, act)
        except RehearsalError as error:
            self.crowd.impossible[str(error)[:60]] += 1

    # -- voices and consent -----------------------------------------------------------------------

    async def save(self) -> None:
        name = self.crowd.new_name()
        who = self.rng.choice([None, "everyone here"])
        asked = await self.typed("voice save", name=name, recording=self.sent(), share_with=who)
        if "This is my own voice" in asked.answer.buttons:
            asked = await self.pressed(asked.answer, "This is my own voice")
        self._note_saved(name, asked, self.person)

    def _note_saved(self, name: str, asked: Asked, speaker: Person) -> None:
        if asked.answer.content.startswith(f"Saved as **{name}**"):
            self.crowd.truth.note_saved(name, self.server.guild, speaker)

    async def ask_for_a_voice(self) -> None:
        """Ask somebody for their voice; they agree, say no, or leave it."""
        other = self.rng.choice([one for one in self.server.people if one is not self.person])
        name = self.crowd.new_name()
        await self.typed("voice save", name=name, recording=self.sent(), speaker=other)
        questions = [
            one
            for one in self.server.general.history[-20:]
            if "I agree" in one.buttons and name in one.content
        ]
        for question in questions:
            label = self.rng.choice(["I agree", "I agree", "No", ""])
            if label:
                speaker = Member(self.crowd, self.server, other, self.rng)
                await speaker.pressed(question, label)
                if f"agreed to **{name}**" in question.content:
                    self.crowd.truth.note_saved(name, self.server.guild, other)

    async def delete_voice(self) -> None:
        name = self.some_voice()
        if name is None:
            return
        asked = await self.typed("voice delete", name=name)
        if "Delete it" in asked.answer.buttons:
            self.crowd.truth.forget(name)
            await self.pressed(asked.answer, "Delete it")

    async def revoke(self) -> None:
        """Take everything back; from the answer on nobody may hear it."""
        names = self.crowd.truth.of_speaker(self.person)
        self.crowd.truth.forget(*names)
        await self._confirmed(await self.typed("privacy revoke"), names, "Taken back")

    async def never_clone(self) -> None:
        names = self.crowd.truth.of_speaker(self.person)
        self.crowd.truth.forget(*names)
        asked = await self.typed("privacy never-clone-me", state="on")
        await self._confirmed(asked, names, "From now on, nobody can clone you")
        await self.typed("privacy never-clone-me", state="off")

    async def _confirmed(self, asked: Asked, names: list[str], told: str) -> None:
        """Confirm if that is asked for; the voices of these ``names`` are silent once it is ``told``."""
        for label in asked.answer.buttons[:1]:
            asked = await self.pressed(asked.answer, label)
        if asked.answer.content.startswith(told):
            self.crowd.truth.taken_back.update(names)

    async def delete_all(self) -> None:
        """Have everything deleted that is known of them."""
        asked = await self.typed("privacy delete")
        if "Delete everything" in asked.answer.buttons and self.rng.random() < 0.5:
            names = self.crowd.truth.of_speaker(self.person)
            owned = [name for name, of in self.crowd.truth.saved.items() if of is self.server.guild]
            self.crowd.truth.forget(*names, *owned)  # who owns which is not kept here
            await self.pressed(asked.answer, "Delete everything")

    async def use(self) -> None:
        await self.typed("voice choose", name=self.some_voice() or "none")

    async def look(self) -> None:
        name = self.some_voice()
        commands: list[tuple[str, dict[str, Any]]] = [
            ("voice list", {}),
            ("queue", {}),
            ("privacy export", {}),
        ]
        if name is not None:
            commands += [("voice list", {"name": name}), ("voice export", {"name": name})]
        command, options = self.rng.choice(commands)
        await self.typed(command, **options)

    async def complete(self) -> None:
        """Type a few letters into an option."""
        try:
            await self.person.autocomplete(self.server.general, "speak", "voice", "Vo", text="Hello")
        except RehearsalError as error:
            self.crowd.impossible[str(error)[:60]] += 1

    # -- voice channels ---------------------------------------------------------------------------

    async def join_or_leave(self) -> None:
        if self.rng.random() < 0.7:
            await self.person.join(self.rng.choice(self.server.voice))
        else:
            await self.person.leave()

    async def move_the_bot(self) -> None:
        await self.typed(self.rng.choice(["join", "join", "leave"]))

    async def steer(self) -> None:
        command = self.rng.choice(["skip", "stop", "pause", "resume", "resume"])
        await self.typed(command)
        if command == "pause":
            await self.typed("resume")


async def _moderate(member: Member) -> None:
    """Do what only a moderator does; to others Discord does not show it."""
    command = member.rng.choice(["myna audit", "myna cloning", "myna voice", "myna volume", "myna setup"])
    options: dict[str, object] = {}
    if command == "myna volume":
        options = {"percent": member.rng.choice([50, 100, 150])}
    if command == "myna voice":
        options = {"name": member.some_voice() or "none"}
    if command == "myna cloning":
        await member.typed(command, state="off")
        options = {"state": "on"}
    asked = await member.typed(command, **options)
    if "Accept, and turn cloning on" in asked.answer.buttons:
        await member.pressed(asked.answer, "Accept, and turn cloning on")


_ACTS: Final[tuple[tuple[Callable[[Member], Awaitable[None]], int], ...]] = (
    (Member.speak, 30),
    (Member.speak_twice, 4),
    (Member.dialogue, 3),
    (Member.clone, 8),
    (Member.press_something, 16),
    (Member.press_together, 3),
    (Member.save, 10),
    (Member.ask_for_a_voice, 4),
    (Member.delete_voice, 3),
    (Member.revoke, 2),
    (Member.never_clone, 1),
    (Member.delete_all, 1),
    (Member.use, 3),
    (Member.look, 8),
    (Member.complete, 6),
    (Member.join_or_leave, 10),
    (Member.move_the_bot, 6),
    (Member.steer, 6),
    (_moderate, 2),
)
