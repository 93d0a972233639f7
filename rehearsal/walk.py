"""Walks through steps: what people do in them and what they get is printed as it happens, and checked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rehearsal.answers import Answer, AnswerState
from rehearsal.cdn import SentFile, ShownFile
from rehearsal.errors import RehearsalError
from rehearsal.people import Person
from rehearsal.recordings import SampleRecording
from rehearsal.records import Channel, Message, Role
from rehearsal.screen import ShownModal
from rehearsal.stage import ANSWER_SECONDS, HeardSpeech, StepFailedError, TourStage, alike
from rehearsal.voice.listener import Listener

ACCEPT: Final = "Accept, and turn cloning on"
MY_OWN: Final = "This is my own voice"


async def turn_cloning_on(moderator: Person, channel: Channel) -> Answer:
    """Let ``moderator`` type /myna cloning and accept the policy; return the bot's last word.

    Raises `TimeoutError` when the bot does not answer.
    """
    policy = await moderator.slash(channel, "myna cloning", state="on")
    await policy.until(lambda answer: ACCEPT in answer.buttons, timeout=ANSWER_SECONDS)
    accepted = await moderator.press(policy, ACCEPT)
    return await accepted.until(lambda answer: bool(answer.content), timeout=ANSWER_SECONDS)


async def say_it_is_mine(person: Person, question: Answer) -> Answer:
    """Let ``person`` press that it is their own voice, and return the answer that the press gets."""
    await question.until(lambda answer: MY_OWN in answer.buttons, timeout=ANSWER_SECONDS)
    return await person.press(question, MY_OWN)


ALIKE: Final = 0.95
"""What was heard and what lies under the answer correlate at least so, Opus and all."""

Step = Callable[[], Awaitable[None]]
"""One step; its docstring is what is printed above it. Raises `StepFailedError`."""


@dataclass(frozen=True)
class DeliveredSpeech:
    """Speech as a person gets it; ``heard`` is None where nobody listened."""

    answer: Answer
    file: ShownFile
    heard: HeardSpeech | None


_MENU: Final = "Choose what to do"


class Walk:
    """Walks through its ``steps``. Whoever inherits says what they are."""

    def __init__(self, stage: TourStage) -> None:
        self._stage = stage
        self._listener: Listener | None = None

    @property
    def steps(self) -> Sequence[Step]:
        """The steps, in order."""
        raise NotImplementedError

    async def run(self) -> bool:
        """Return whether every step went as it should; each is printed as it happens."""
        steps = self.steps
        print("A rehearsal: a Discord of our own on this machine. No account, no key; nothing leaves it.\n")
        failed = 0
        for number, step in enumerate(steps, start=1):
            print(f"{number}. {step.__doc__}")
            try:
                await step()
            except (RehearsalError, StepFailedError, TimeoutError) as error:
                failed += 1
                print(f"   FAILED: {error}")
        print(f"\nThe sounds are in {self._stage.output}/.")
        if failed:
            print(f"{failed} of {len(steps)} steps failed.")
        return not failed

    # -- what people do ---------------------------------------------------------------------------

    async def type(self, person: Person, command: str, /, **options: object) -> Answer:
        """Let ``person`` type a command in #general."""
        typed = "".join(f" {name}: {_shown(value)}" for name, value in options.items())
        print(f"   {person.name} types /{command}{typed}")
        return await person.slash(self._stage.general, command, **options)

    async def press(self, person: Person, shown: Answer | Message, button: str) -> Answer:
        """Let ``person`` press a button."""
        print(f"   {person.name} presses {button}")
        return await person.press(shown, button)

    async def menu_of(self, person: Person, shown: Answer | Message) -> Message:
        """Let ``person`` press More… under a take, and return the menu that only they see."""
        pressed = await self.press(person, shown, "More…")
        await pressed.until(lambda answer: bool(answer.followups), timeout=ANSWER_SECONDS)
        return pressed.followups[0]

    async def choose(self, person: Person, shown: Answer | Message, act: str) -> Answer:
        """Let ``person`` press More… under a take, and choose ``act``."""
        menu = await self.menu_of(person, shown)
        print(f"   {person.name} chooses {act}")
        return await person.select(menu, _MENU, act)

    async def offered(self, person: Person, shown: Answer | Message) -> list[str]:
        """Let ``person`` press More… under a take, and return what it offers."""
        found = (await self.menu_of(person, shown)).menus[_MENU]
        print(f"   offered: {', '.join(found)}")
        return found

    # -- what they get ----------------------------------------------------------------------------

    async def told(self, answer: Answer, *, after: str = "") -> str:
        """Print what the bot answers and return it; ``after`` is what stood there before, and may stay.

        Raises `StepFailedError` when it does not answer.
        """
        await answer.until(
            lambda shown: (
                shown.state not in (AnswerState.WAITING, AnswerState.THINKING)
                and (shown.content != after or shown.failure is not None or bool(_told_alone(shown)))
            ),
            timeout=ANSWER_SECONDS,
        )
        await answer.settled(timeout=ANSWER_SECONDS)
        if answer.failure:
            raise StepFailedError(answer.failure)
        words = self._stage.readable(_told_alone(answer) or answer.content)
        print(f"   answered after {_ms(answer)}: {indented(words)}")
        return words

    async def press_and_read(self, person: Person, shown: Answer | Message, button: str) -> str:
        """Let ``person`` press a button, print what the bot answers, and return it."""
        before = shown.content
        return await self.told(await self.press(person, shown, button), after=before)

    async def told_to_choose(self, answer: Answer, button: str) -> str:
        """The same for an answer that takes a while and ends in buttons, of which ``button`` must be one."""
        await answer.until(
            lambda shown: (
                shown.state in (AnswerState.REPLIED, AnswerState.FAILED)
                and (button in shown.buttons or not shown.content.endswith(" …"))
            ),
            timeout=ANSWER_SECONDS,
        )
        words = await self.told(answer)
        check(button in answer.buttons, f"there is no button {button}")
        return words

    async def form_in(self, answer: Answer) -> ShownModal:
        """Print the form that an answer opens and return it. Raises `StepFailedError` when it opens none."""
        await answer.until(
            lambda shown: shown.modal is not None or bool(shown.content), timeout=ANSWER_SECONDS
        )
        if answer.modal is None:
            raise StepFailedError(answer.content)
        print(f"   form: {answer.modal.title}: {', '.join(answer.modal.labels)}")
        return answer.modal

    async def delivered(self, answer: Answer, packets: int | None = None) -> DeliveredSpeech:
        """Print the file under the answer and, from the ``packets``-th packet on, what was heard of it.

        Raises `StepFailedError` when that is not the same, or was not encrypted to its end.
        """
        file = await self._stage.file_of(answer)
        path = await self._stage.save(file.name, file.data)
        print(f"   acknowledged after {_ms(answer)}, done after {answer.history[-1].after:.1f} s")
        print(f"   answer: {indented(self._stage.readable(answer.content))}")
        print(f"   file:   {path}")
        if packets is None or self._listener is None:
            return DeliveredSpeech(answer, file, None)
        heard = await self._stage.hear(self._listener, after=packets)
        heard_path = await self._stage.save_heard(f"heard-{file.name}", heard)
        match = alike(file.data, heard)
        if heard.undecryptable or not match.complete or match.correlation < ALIKE:
            raise StepFailedError(
                f"what was heard is not what was made: {heard.undecryptable} frames could not be decrypted, "
                f"correlation {match.correlation:.3f}, {'complete' if match.complete else 'incomplete'}"
            )
        print(f"   heard:  {heard_path}")
        print(
            f"           {heard.seconds:.1f} s, {heard.frames} frames, all of them end-to-end encrypted; "
            f"correlation with the file {match.correlation:.3f}"
        )
        return DeliveredSpeech(answer, file, heard)

    @property
    def listener(self) -> Listener:
        """Whoever listens. Raises `StepFailedError` while nobody does."""
        if self._listener is None:
            raise StepFailedError("nobody sits in the voice channel")
        return self._listener

    @property
    def packets(self) -> int:
        """How many packets have been heard so far."""
        return len(self._listener.packets) if self._listener else 0


def check(holds: bool, otherwise: str) -> None:
    """Raise `StepFailedError` with ``otherwise`` unless it ``holds``."""
    if not holds:
        raise StepFailedError(otherwise)


def indented(words: str) -> str:
    """Return ``words`` so that their further lines stand under the first, inside a step."""
    return words.replace("\n", "\n      ")


def sent(recording: SampleRecording) -> SentFile:
    """Return a recording as a person uploads it."""
    return SentFile(recording.path.name, recording.path.read_bytes())


def _told_alone(answer: Answer) -> str:
    """Return what only this person reads below a message that stays as it is."""
    return next((message.content for message in answer.followups if message.ephemeral), "")


def _shown(value: object) -> str:
    if isinstance(value, Person | Role):
        return f"@{value.name}"
    return f"({value.name})" if isinstance(value, SentFile) else str(value)


def _ms(answer: Answer) -> str:
    return f"{(answer.acknowledged_after or 0) * 1000:.0f} ms"
