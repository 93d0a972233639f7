"""What consent means, said a second time and in another way: by looking through all that ever happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.library.voice import Sharing, Voice

WIDTH = {Sharing.ME: 0, Sharing.MEMBERS: 1, Sharing.ROLE: 1, Sharing.SERVER: 2}


class Event(NamedTuple):
    at: datetime
    what: str
    guild_id: int = 0
    member_id: int = 0
    asker_id: int = 0
    recording: str | None = None
    sharing: Sharing = Sharing.ME
    policy: int = 0
    request: str = ""
    voice: str = ""
    author_id: int | None = None
    by: int = 0  # who answers


class CloneGeneration(NamedTuple):
    """What /clone has made of a member's own voice in a server; ``place`` is where in the log it was made."""

    id: str
    guild_id: int
    speaker_id: int
    place: int


class Model:
    """The log of one history."""

    def __init__(self) -> None:
        self.log: list[Event] = []

    def add(self, event: Event) -> None:
        self.log.append(event)

    def may_be_heard(self, voice: Voice, policy: int) -> bool:
        """Return whether this voice, as it is shared now, may be heard in its own server now."""
        gone = {"revoke one", "delete"}
        if any(event.what in gone and event.voice == voice.id for event in self.log):
            return False
        saved = next(
            n for n, event in enumerate(self.log) if event.what == "save" and event.voice == voice.id
        )
        if any(self._takes_back(event, voice) for event in self.log[saved:]):
            return False
        if self._last("never on", "never off", member_id=voice.speaker_id) == "never on":
            return False
        if self._last("freeze", "unfreeze", voice=voice.id) == "freeze":
            return False
        private = voice.guild_id == voice.owner_id
        if private and voice.speaker_id != voice.owner_id:
            return False
        switched = self._last(f"on {policy}", "on other", "off", guild_id=voice.guild_id)
        if not private and switched != f"on {policy}":
            return False
        return any(self._counts(n, voice, policy) for n in range(len(self.log)))

    def may_generation_be_heard(self, generation: CloneGeneration, policy: int) -> bool:
        """Return whether what /clone has made may be heard in its own server now."""
        if any(self._takes_back(event, generation) for event in self.log[generation.place :]):
            return False
        if self._last("never on", "never off", member_id=generation.speaker_id) == "never on":
            return False
        frozen = self._last(
            *("freeze likeness", "unfreeze likeness"),
            guild_id=generation.guild_id,
            member_id=generation.speaker_id,
        )
        if frozen == "freeze likeness":
            return False
        switched = self._last(f"on {policy}", "on other", "off", guild_id=generation.guild_id)
        if generation.guild_id != generation.speaker_id and switched != f"on {policy}":
            return False
        return any(self._is_word_for(n, generation, policy) for n in range(generation.place))

    def may_stand(self, heard: Voice | CloneGeneration, place: int) -> bool:
        """Return whether what was posted at ``place`` may still stand: nobody has taken the voice back."""
        gone = {"revoke one", "delete"}
        return not any(
            self._takes_back(event, heard) or (event.what in gone and event.voice == heard.id)
            for event in self.log[place:]
        )

    def _is_word_for(self, place: int, generation: CloneGeneration, policy: int) -> bool:
        """Return whether the speaker said at ``place``, of any recording, that it is their own voice."""
        event, after = self.log[place], self.log[place + 1 :]
        who = (event.guild_id, event.member_id, event.policy) == (
            generation.guild_id,
            generation.speaker_id,
            policy,
        )
        if event.what != "attest" or event.recording is not None or not who:
            return False
        if any(self._takes_back(later, generation) for later in after):
            return False
        moves = [later.what for later in after if self._moves(later, generation)]
        return not moves or moves[-1] == "return"

    def _counts(self, place: int, voice: Voice, policy: int) -> bool:
        """Return whether what happened at ``place`` is a consent that still counts for the voice."""
        event, after = self.log[place], self.log[place + 1 :]
        if (event.guild_id, event.member_id, event.policy) != (voice.guild_id, voice.speaker_id, policy):
            return False
        if event.what == "attest":
            fits = voice.owner_id == voice.speaker_id and event.recording in (None, voice.recording)
        elif event.what == "yes":
            fits = event.asker_id == voice.owner_id and event.recording == voice.recording
            fits = fits and WIDTH[voice.sharing] <= WIDTH[event.sharing] and self._have_agreed(place)
        else:
            fits = False
        asked_ids = {voice.speaker_id, event.author_id}
        ended = any(
            later.what in ("revoke all", "never on") and later.member_id in asked_ids for later in after
        )
        if not fits or ended:
            return False
        moves = [later.what for later in after if self._moves(later, voice)]
        return not moves or moves[-1] == "return"

    def _have_agreed(self, place: int) -> bool:
        """Return whether the answer at ``place`` was the last that was missing, and all came in time."""
        answer = self.log[place]
        asked = next(event for event in self.log if event.what == "ask" and event.request == answer.request)
        answers = [
            event
            for event in self.log[: place + 1]
            if event.what in ("yes", "no") and event.request == answer.request
        ]
        people = {asked.member_id} if asked.author_id is None else {asked.member_id, asked.author_id}
        late = any(event.at >= asked.at + timedelta(hours=24) for event in answers)
        taken_back = any(
            event.what in ("revoke all", "never on") and event.member_id in people
            for event in self.log[self.log.index(asked) : place]
        )
        agreed = {event.by for event in answers}
        is_first_time = len(answers) == len(people)
        return not late and not taken_back and agreed == people and is_first_time and answer.what == "yes"

    @staticmethod
    def _takes_back(event: Event, voice: Voice | CloneGeneration) -> bool:
        return event.what in ("revoke all", "never on") and event.member_id == voice.speaker_id

    @staticmethod
    def _moves(event: Event, voice: Voice | CloneGeneration) -> bool:
        where = (event.guild_id, event.member_id) == (voice.guild_id, voice.speaker_id)
        return where and event.what in ("leave", "return")

    def _last(self, *names: str, **who: object) -> str | None:
        return next(self._backwards(names, who), None)

    def _backwards(self, names: tuple[str, ...], who: dict[str, object]) -> Iterator[str]:
        for event in reversed(self.log):
            if event.what in names and all(getattr(event, key) == value for key, value in who.items()):
                yield event.what
