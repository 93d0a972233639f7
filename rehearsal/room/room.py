"""The room itself: what all its tabs share, and how much it keeps."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol

from rehearsal.cdn import Cdn, SentFile
from rehearsal.errors import RehearsalError
from rehearsal.people import Person
from rehearsal.records import Channel, Message
from rehearsal.room.attempts import Attempt, Attempts
from rehearsal.room.hearing import PAUSE_SECONDS, Hearing
from rehearsal.room.scene import Scene
from rehearsal.room.setting import Setting
from rehearsal.room.switches import Switch
from rehearsal.room.trace import Trace, TraceEntry
from rehearsal.server import Rehearsal
from rehearsal.voice.listener import HeardPacket
from rehearsal.wire import MEBIBYTE, Json


class Watcher(Protocol):
    """A tab, as the room knows it."""

    person: Person

    def look(self) -> None:
        """Send what has changed."""

    def hear(self, sound: bytes) -> None:
        """Send sound, if this tab listens."""

    def attempt(self, attempt: Attempt) -> None:
        """Send how something asked is getting on."""

    def entry(self, entry: TraceEntry) -> None:
        """Send what has passed between Discord and the bot."""


MAX_MESSAGES: Final = 400
"""In each channel; the page lists all of them, and stays quick with so many."""

MAX_FILE_BYTES: Final = 512 * MEBIBYTE
"""Of all files together: an afternoon of speech, and little enough for a small machine."""


class Memory:
    """Forgets what is too much of the files in ``cdn`` and of the messages of some channels."""

    def __init__(
        self, cdn: Cdn, *, max_messages: int = MAX_MESSAGES, max_file_bytes: int = MAX_FILE_BYTES
    ) -> None:
        self._cdn = cdn
        self._max_messages = max_messages
        self._max_file_bytes = max_file_bytes

    def tidy(self, channels: Sequence[Channel]) -> None:
        """Forget the oldest messages of each of ``channels``, and the oldest files of all."""
        for channel in channels:
            for message in list(channel.messages.values())[: -self._max_messages]:
                self._forget(channel, message)
        if self._cdn.total_bytes > self._max_file_bytes:
            self._forget_files(channels)

    def _forget_files(self, channels: Sequence[Channel]) -> None:
        holders = {f.id: (c, m) for c in channels for m in c.messages.values() for f in m.files}
        while self._cdn.total_bytes > self._max_file_bytes:
            file = self._cdn.oldest()
            if file.id in holders:
                self._forget(*holders[file.id])
            self._cdn.forget(file)  # it may have been sent with a command, and then no message has it

    def _forget(self, channel: Channel, message: Message) -> None:
        for file in message.files:
            self._cdn.forget(file)
        message.files = []
        channel.messages.pop(message.id, None)


MAX_BYTES: Final = 64 * MEBIBYTE
"""More than any member here may send, so that the refusal comes in Discord's words."""

_KEPT: Final = 32
_KEPT_BYTES: Final = 4 * MAX_BYTES


class Uploads:
    """Keeps the newest uploads until they are sent."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, SentFile] = OrderedDict()

    def add(self, file: SentFile) -> str:
        """Keep ``file`` and return the key to it."""
        key = secrets.token_urlsafe(12)
        self._files[key] = file
        while len(self._files) > _KEPT or sum(len(kept.data) for kept in self._files.values()) > _KEPT_BYTES:
            self._files.popitem(last=False)
        return key

    def get(self, key: object) -> SentFile:
        """Return a file. Raises `RehearsalError` for one that is not here any more."""
        file = self._files.get(key) if isinstance(key, str) else None
        if file is None:
            raise RehearsalError("That file is not here any more. Choose it again.")
        return file


AWAY_SECONDS: Final = 60.0
"""Who has closed every tab leaves the voice channel after this long; a reload is quicker."""


class Room:
    """People, their ears, what they asked, and the tabs that watch."""

    def __init__(self, rehearsal: Rehearsal, setting: Setting) -> None:
        self.rehearsal = rehearsal
        self.setting = setting
        self.scene = Scene(rehearsal, setting)
        self.uploads = Uploads()
        self._memory = Memory(rehearsal.cdn)
        self.attempts = Attempts(self._attempt_changed)
        self.trace = Trace(rehearsal, {guild.id for guild in setting.guilds}, self._entry)
        self.switches: dict[str, Switch] = {}
        self.hearings: dict[int, Hearing] = {}
        self.speaking: dict[int, float] = {}
        self._begun: dict[int, int] = {}
        self.watchers: list[Watcher] = []
        self.bot_ended: Callable[[], bool] = lambda: False
        self.engine = ""
        """What makes the bot's voice on this machine; nothing if that is done elsewhere."""
        """Whether the bot has ended although nobody had asked it to."""
        self._due: asyncio.Handle | None = None
        self._known_channels: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: dict[int, asyncio.TimerHandle] = {}
        rehearsal.commands.changes.listen(self.changed)

    def add_switches(self, switches: Sequence[Switch]) -> None:
        """Put more switches on the page."""
        self.switches |= {switch.name: switch for switch in switches}

    # -- tabs -------------------------------------------------------------------------------------

    def enter(self, watcher: Watcher) -> None:
        """Let a tab watch from now on."""
        self.watchers.append(watcher)
        self._stay(watcher.person)
        self.changed()

    def act_as(self, watcher: Watcher, person: Person) -> None:
        """Let the tab be somebody else."""
        before, watcher.person = watcher.person, person
        self._stay(person)
        self._maybe_away(before)
        self.changed()

    def go(self, watcher: Watcher) -> None:
        """Forget a closed tab."""
        self.watchers.remove(watcher)
        self._maybe_away(watcher.person)
        self.changed()

    def free_person(self) -> Person:
        """Return somebody whom no tab is yet, or the first one."""
        taken = {watcher.person.id for watcher in self.watchers}
        return next((p for p in self.setting.people if p.id not in taken), self.setting.people[0])

    @property
    def tabs(self) -> Counter[int]:
        """Return how many tabs each person has."""
        return Counter(watcher.person.id for watcher in self.watchers)

    def scene_for(self, person: Person) -> Json:
        """Return everything on the page besides messages, as ``person`` sees it."""
        speaking, ended = set(self.speaking), self.bot_ended()
        return self.scene.payload(
            person,
            speaking=speaking,
            tabs=self.tabs,
            bot_ended=ended,
            engine=self.engine,
        )

    def changed(self) -> None:
        """Let every tab look again, once, after everything that happens at this moment."""
        if self._due is None:
            self._due = asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._due = None
        self._memory.tidy(self._channels())
        for channel in self._channels():
            if channel.id not in self._known_channels:
                self._known_channels.add(channel.id)
                channel.changes.listen(self.changed)
        for watcher in list(self.watchers):
            watcher.look()

    def _channels(self) -> list[Channel]:
        inside = [channel for guild in self.setting.guilds for channel in guild.channels.values()]
        return inside + [self.setting.world.dm(person) for person in self.setting.people]

    def _attempt_changed(self, attempt: Attempt) -> None:
        for watcher in self.watchers:
            watcher.attempt(attempt)

    def _entry(self, entry: TraceEntry) -> None:
        for watcher in self.watchers:
            watcher.entry(entry)
        self.changed()

    # -- voice ------------------------------------------------------------------------------------

    async def join(self, person: Person, channel: Channel) -> None:
        """Let ``person`` into a voice channel, with ears. Raises `RehearsalError` as the app would."""
        listener = await person.join(channel)
        await self._close_hearing(person)
        self.hearings[person.id] = Hearing(
            person,
            channel,
            listener,
            on_sound=self._sound,
            on_speech=self._speech,
            on_keys=self.changed,
        )
        self.changed()

    async def leave(self, person: Person) -> None:
        """Let ``person`` out of voice."""
        await person.leave()
        await self._close_hearing(person)
        self.changed()

    def hearing_of(self, person: Person) -> Hearing | None:
        """Return the ears of ``person`` while they are in a voice channel."""
        hearing = self.hearings.get(person.id)
        if hearing is None:
            return None
        here = any(
            state.channel_id == hearing.channel.id
            for guild in self.setting.guilds
            if (state := guild.voice_states.get(person.id)) is not None
        )
        return hearing if here else None

    def others_in_call(self, hearing: Hearing) -> list[Hearing]:
        """Return the ears of everybody else of the room in the same voice channel."""
        present = [self.hearing_of(person) for person in self.setting.people]
        return [h for h in present if h and h is not hearing and h.channel is hearing.channel]

    async def _close_hearing(self, person: Person) -> None:
        hearing = self.hearings.pop(person.id, None)
        if hearing is not None:
            await hearing.close()

    def _sound(self, person: Person, sound: bytes) -> None:
        for watcher in self.watchers:
            if watcher.person is person:
                watcher.hear(sound)

    def _speech(self, channel: Channel, packet: HeardPacket, after_silence: bool) -> None:
        loop = asyncio.get_running_loop()
        begins = channel.id not in self.speaking
        if begins or (after_silence and packet.timestamp != self._begun.get(channel.id)):
            self._begun[channel.id] = packet.timestamp  # others who listen hear the same packet
            self.attempts.heard(channel.guild_id, packet.arrival)
        if begins:
            loop.call_later(PAUSE_SECONDS, self._maybe_silent, channel)
            self.changed()
        self.speaking[channel.id] = loop.time()

    def _maybe_silent(self, channel: Channel) -> None:
        loop = asyncio.get_running_loop()
        left = self.speaking[channel.id] + PAUSE_SECONDS - loop.time()
        if left > 0:
            loop.call_later(left, self._maybe_silent, channel)
        else:
            fell_silent = self.speaking.pop(channel.id)
            self.attempts.fell_silent(channel.guild_id, fell_silent)
            self.changed()

    # -- who closed their tabs --------------------------------------------------------------------

    def _stay(self, person: Person) -> None:
        timer = self._leaving.pop(person.id, None)
        if timer is not None:
            timer.cancel()

    def _maybe_away(self, person: Person) -> None:
        if not self.tabs[person.id] and person.id in self.hearings:
            loop = asyncio.get_running_loop()
            self._leaving[person.id] = loop.call_later(AWAY_SECONDS, self._away, person)

    def _away(self, person: Person) -> None:
        self._leaving.pop(person.id, None)
        self.run(self.leave(person))

    # -- work -------------------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Own ``work`` until it has ended."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def person(self, person_id: object) -> Person:
        """Return somebody by their id. Raises `RehearsalError`."""
        for person in self.setting.people:
            if str(person.id) == person_id:
                return person
        raise RehearsalError("There is nobody of that name here.")

    async def aclose(self) -> None:
        """Let everybody go."""
        for timer in self._leaving.values():
            timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        for person in list(self.setting.people):
            await self._close_hearing(person)
        if self._due is not None:
            self._due.cancel()
