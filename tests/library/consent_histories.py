"""Random histories of consent: what members, moderators, the clock and restarts may do, in any order."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from bot.errors import MemberError
from bot.library.consent import Consents
from bot.library.consent_rules import Consent
from bot.library.voice import Kind, NewVoice, Scope, Sharing, Voice
from bot.library.withdrawal import Withdrawals
from tests.library.consent_model import CloneGeneration, Event, Model

RECORDINGS = ("a" * 64, "b" * 64)
SHARINGS = (Sharing.ME, Sharing.SERVER)
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


class World(Protocol):
    """Where consents are kept: in a database, or in dictionaries."""

    def consents(self, withdrawals: Withdrawals, now: Callable[[], datetime], policy: int) -> Consents: ...
    async def set_cloning(self, guild_id: int, policy: int | None) -> None: ...
    async def save(self, guild_id: int, owner_id: int, new: NewVoice, now: datetime) -> Voice: ...
    async def change(self, voice_id: str, *, sharing: Sharing, is_frozen: bool) -> None: ...
    async def delete(self, consents: Consents, voice: Voice) -> None: ...


class History:
    """One history in a world; ``number`` keeps its people apart from those of others there.

    After every step each voice it ever saved tries to speak, and so does all that /clone has made in it.
    ``heard`` counts how often a saved voice may, ``takes_heard`` how often such a take.
    """

    def __init__(self, world: World, number: int, seed: int) -> None:
        self._world = world
        self._dice = random.Random(seed * 1_000_003 + number)
        self._model = Model()
        self._at = BEGIN
        self._policy = 1
        self._speaker, self._asker, self._guild = (10 * (number + 1) + n for n in (1, 2, 3))
        self._voices: dict[str, Voice] = {}
        self._gone: list[Voice] = []
        self._generations: list[CloneGeneration] = []
        self._asked: list[str] = []
        self._consents_seen: list[tuple[str, int, int, str]] = []
        self.heard = 0
        self.generations_heard = 0
        self.refused = 0
        self._first_moves = (
            (self._ask, self._ask, self._attest, self._attest, self._wait),
            (self._yes, self._yes, self._yes, self._attest, self._move),
            (self._save, self._save, self._save, self._meddle, self._clone, self._clone, self._clone),
        )
        self._moves = (
            *(self._ask, self._yes, self._yes, self._attest, self._save, self._save, self._wait, self._share),
            *(self._no, self._revoke_all, self._revoke_one, self._delete, self._never, self._move),
            *(self._clone, self._clone),
            *(self._cloning_off, self._cloning_on, self._freeze, self._new_policy, self._sweep, self._meddle),
        )
        self._restart()

    async def run(self, steps: int) -> None:
        """Live through it; AssertionError when a voice may be heard that its speaker did not agree to."""
        await self._cloning_on()
        for step in range(steps):
            moves = self._first_moves[step] if step < len(self._first_moves) else self._moves
            try:
                await self._dice.choice(moves)()
            except MemberError:
                self.refused += 1
            if self._dice.random() < 0.2:
                self._restart()
            await self._try_all()

    def _restart(self) -> None:
        self._consents = self._world.consents(Withdrawals(), lambda: self._at, self._policy)

    def _note(self, what: str, **more: object) -> None:
        self._model.add(Event(self._at, what, policy=self._policy, **more))  # type: ignore[arg-type]
        self._at += timedelta(seconds=1)

    def _scope(self, member_id: int) -> Scope:
        return Scope(self._guild, member_id)

    async def _try_all(self) -> None:
        for voice in (*self._voices.values(), *self._gone):
            refusal = await self._consents.permission_error(voice, voice.guild_id)
            if refusal is None:
                assert self._model.may_be_heard(voice, self._policy), self._model.log
                self.heard += 1
            elif voice.id in self._voices and voice.consent_id and self._is_plain():
                assert not self._model.may_be_heard(voice, self._policy), (refusal, self._model.log)
        for generation in self._generations:
            refusal = await self._consents.permission_error(generation, generation.guild_id)
            if refusal is None:
                assert self._model.may_generation_be_heard(generation, self._policy), self._model.log
                self.generations_heard += 1
            elif self._is_plain():
                assert not self._model.may_generation_be_heard(generation, self._policy), (
                    refusal,
                    self._model.log,
                )
            assert await self._consents.permission_error(generation, generation.guild_id + 1) is not None
        if self._voices:
            voice = self._dice.choice(list(self._voices.values()))
            assert await self._consents.permission_error(voice, voice.guild_id + 1) is not None

    def _is_plain(self) -> bool:
        """Whether nothing happened after which the real one may be stricter than the model."""
        strict = {"meddle", "revoke one", "delete", "ask twice"}
        return not any(event.what in strict for event in self._model.log)

    async def _ask(self) -> None:
        recording, sharing = self._dice.choice(RECORDINGS), self._dice.choice(SHARINGS)
        request = await self._consents.ask(
            *(self._scope(self._asker), self._speaker), recording=recording, name="Ada", sharing=sharing
        )
        self._asked.append(request.id)
        self._consents_seen.append((request.id, self._asker, self._speaker, recording))
        if len(self._asked) > 1:
            self._note("ask twice")
        self._note(
            *("ask",),
            guild_id=self._guild,
            member_id=self._speaker,
            asker_id=self._asker,
            recording=recording,
            sharing=sharing,
            request=request.id,
        )

    async def _yes(self) -> None:
        await self._answer(yes=True)

    async def _no(self) -> None:
        await self._answer(yes=False)

    async def _answer(self, *, yes: bool) -> None:
        if not self._asked:
            return
        request_id = self._dice.choice(self._asked)
        presser = self._dice.choice((self._speaker, self._speaker, self._asker, self._guild))
        await self._consents.answer(request_id, presser, yes)
        assert presser == self._speaker
        asked = next(one for one in self._model.log if one.what == "ask" and one.request == request_id)
        self._model.add(asked._replace(at=self._at, what="yes" if yes else "no", policy=self._policy))
        self._at += timedelta(seconds=1)

    async def _attest(self) -> None:
        recording = self._dice.choice((None, None, *RECORDINGS))
        guild_id = self._dice.choice((self._guild, self._speaker))
        consent_id = await self._consents.attest(Scope(guild_id, self._speaker), recording=recording)
        for one in RECORDINGS if recording is None else (recording,):
            self._consents_seen.append((consent_id, self._speaker, self._speaker, one))
        self._note("attest", guild_id=guild_id, member_id=self._speaker, recording=recording)

    async def _clone(self) -> None:
        """Let the speaker say something once after a recording of their own."""
        guild_id = self._dice.choice((self._guild, self._guild, self._speaker))
        likeness = await self._consents.own_likeness(Scope(guild_id, self._speaker))
        self._generations.append(CloneGeneration(likeness, guild_id, self._speaker, len(self._model.log)))

    async def _save(self) -> None:
        """Save a voice with a consent that was seen, however it stands by now."""
        if not self._consents_seen or len(self._voices) >= 3:
            return
        consent_id, owner_id, speaker_id, recording = self._dice.choice(self._consents_seen)
        await self._save_voice(consent_id, owner_id, speaker_id, recording)

    async def _meddle(self) -> None:
        """Save a voice with a consent to another owner, speaker, recording or server, or with none."""
        if not self._consents_seen or len(self._voices) >= 3:
            return
        self._note("meddle")
        consent_id, _, _, _ = self._dice.choice(self._consents_seen)
        owner_id = self._dice.choice((self._asker, self._speaker))
        speaker_id = self._dice.choice((self._speaker, self._speaker, self._asker))
        await self._save_voice(
            *(self._dice.choice((consent_id, None)), owner_id, speaker_id, self._dice.choice(RECORDINGS)),
            guild_id=self._dice.choice((self._guild, owner_id)),
        )

    async def _save_voice(
        self,
        consent_id: str | None,
        owner_id: int,
        speaker_id: int,
        recording: str,
        guild_id: int | None = None,
    ) -> None:
        if guild_id is None:
            request = await self._consents.request(consent_id or "")
            if request is None:
                return
            guild_id = request.guild_id
            if request.state is not Consent.GRANTED or request.policy_version != self._policy:
                self._note("meddle")
        new = NewVoice(
            *(f"voice {len(self._voices) + len(self._gone)}", Kind.CLONED, recording, 5.0),
            speaker_id=speaker_id,
            consent_id=consent_id,
        )
        voice = await self._world.save(guild_id, owner_id, new, self._at)
        self._voices[voice.id] = voice
        self._note("save", voice=voice.id)

    async def _share(self) -> None:
        voice = self._any_voice()
        if voice is not None:
            await self._change(replace(voice, sharing=self._dice.choice(SHARINGS)))

    async def _freeze(self) -> None:
        voice = self._any_voice()
        if voice is not None:
            voice = replace(voice, is_frozen=not voice.is_frozen)
            await self._change(voice)
            self._note("freeze" if voice.is_frozen else "unfreeze", voice=voice.id)

    async def _change(self, voice: Voice) -> None:
        await self._world.change(voice.id, sharing=voice.sharing, is_frozen=voice.is_frozen)
        self._voices[voice.id] = voice

    def _any_voice(self) -> Voice | None:
        return self._dice.choice(list(self._voices.values())) if self._voices else None

    async def _revoke_all(self) -> None:
        self._lose(await self._consents.revoke(self._speaker))
        self._note("revoke all", member_id=self._speaker)

    async def _revoke_one(self) -> None:
        voice = self._any_voice()
        if voice is not None:
            self._lose(await self._consents.revoke(self._speaker, voice.id))
            self._note("revoke one", member_id=self._speaker, voice=voice.id)

    async def _delete(self) -> None:
        voice = self._any_voice()
        if voice is not None:
            await self._world.delete(self._consents, voice)
            self._lose([voice])
            self._note("delete", voice=voice.id)

    def _lose(self, voices: list[Voice]) -> None:
        for voice in voices:
            self._gone.append(self._voices.pop(voice.id))

    async def _never(self) -> None:
        on = self._dice.random() < 0.5
        self._lose(await self._consents.never_clone(self._speaker, on))
        self._note("never on" if on else "never off", member_id=self._speaker)

    async def _move(self) -> None:
        is_leaving = self._dice.random() < 0.5
        move = self._consents.speaker_left if is_leaving else self._consents.speaker_returned
        await move(self._guild, self._speaker)
        self._note("leave" if is_leaving else "return", guild_id=self._guild, member_id=self._speaker)

    async def _cloning_on(self) -> None:
        await self._world.set_cloning(self._guild, self._policy)
        self._note(f"on {self._policy}", guild_id=self._guild)

    async def _cloning_off(self) -> None:
        await self._world.set_cloning(self._guild, None)
        self._note("off", guild_id=self._guild)

    async def _new_policy(self) -> None:
        if self._dice.random() < 0.3:
            self._policy += 1
            self._note("on other", guild_id=self._guild)
            self._restart()

    async def _sweep(self) -> None:
        await self._consents.sweep()

    async def _wait(self) -> None:
        self._at += timedelta(hours=self._dice.choice((1, 12, 23, 24, 24 * 8, 24 * 40)))
