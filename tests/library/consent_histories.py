"""Random histories of consent: what members, moderators, the clock and restarts may do, in any order."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Protocol

from bot.errors import MemberError
from bot.library.consent import Consents
from bot.library.consent_rules import Consent
from bot.library.voice import Kind, NewVoice, Scope, Sharing, Voice
from bot.library.withdrawal import Post, Withdrawal, Withdrawals
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
    async def delete(self, consents: Consents, voice: Voice) -> Withdrawal: ...
    async def freeze_likeness(self, guild_id: int, member_id: int, on: bool, now: datetime) -> None: ...


class Told(Withdrawals):
    """Whoever is told of withdrawals, without tasks: all of it has been heard when they are announced."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self._history = history

    async def announce(self, withdrawal: Withdrawal) -> None:
        self._history.hear(withdrawal)


class History:
    """One history in a world; ``number`` keeps its people apart from those of others there.

    After every step each voice it ever saved tries to speak, and so does all that /clone has made in it.
    What plays, or waits in a queue, is dropped when it is told of, and what is uploaded is looked at again
    when it has arrived; what was posted is deleted when it is told of. ``heard`` counts how often a saved
    voice may speak, ``generations_heard`` how often what /clone has made, ``played`` and ``posted`` how often
    something that was made played on, or went on to stand.
    """

    def __init__(self, world: World, number: int, seed: int) -> None:
        self._world = world
        self._dice = random.Random(seed * 1_000_003 + number)
        self._model = Model()
        self._at = BEGIN
        self._policy = 1
        self._speaker, self._asker, self._guild, self._author = (10 * (number + 1) + n for n in (1, 2, 3, 4))
        self._voices: dict[str, Voice] = {}
        self._gone: list[Voice] = []
        self._generations: list[CloneGeneration] = []
        self._asked: list[str] = []
        self._consents_seen: list[tuple[str, int, int, str]] = []
        self._playing: list[Voice | CloneGeneration] = []
        self._uploads: list[Voice | CloneGeneration] = []
        self._posted: dict[Post, tuple[Voice | CloneGeneration, int]] = {}
        self._posts = count(1)
        self.heard = 0
        self.generations_heard = 0
        self.played = 0
        self.posted = 0
        self.refused = 0
        self._first_moves = (
            (self._ask, self._ask, self._attest, self._attest, self._wait),
            (self._yes, self._yes, self._yes, self._attest, self._move),
            (self._yes, self._yes, self._yes, self._attest, self._clone),
            (self._save, self._save, self._save, self._meddle, self._clone, self._clone, self._clone),
            (self._play, self._play, self._upload, self._upload, self._clone),
            (self._play, self._arrive, self._arrive, self._upload),
        )
        self._moves = (
            *(self._ask, self._yes, self._yes, self._attest, self._save, self._save, self._wait, self._share),
            *(self._no, self._revoke_all, self._revoke_one, self._delete, self._never, self._move),
            *(self._clone, self._clone, self._freeze_likeness),
            *(self._play, self._play, self._upload, self._upload, self._upload, self._arrive, self._arrive),
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
        """Begin anew: nothing plays any more, and nobody waits for what was on its way."""
        self._playing, self._uploads = [], []
        self._told = Told(self)
        self._consents = self._world.consents(self._told, lambda: self._at, self._policy)

    def hear(self, withdrawal: Withdrawal) -> None:
        """Drop what a withdrawal tells of, as the bot does."""
        silent = {one.id for one in withdrawal.voices if withdrawal.is_final or one.is_frozen}
        silent.update(withdrawal.likenesses)
        self._playing = [one for one in self._playing if one.id not in silent]
        for post in withdrawal.posts:
            self._posted.pop(post, None)

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
        for heard in self._playing:
            assert self._may_be_heard(heard), self._model.log
            self.played += 1
        for heard, place in self._posted.values():
            assert self._model.may_stand(heard, place), self._model.log
            self.posted += 1
        if self._voices:
            voice = self._dice.choice(list(self._voices.values()))
            assert await self._consents.permission_error(voice, voice.guild_id + 1) is not None

    def _may_be_heard(self, heard: Voice | CloneGeneration) -> bool:
        if isinstance(heard, CloneGeneration):
            return self._model.may_generation_be_heard(heard, self._policy)
        return self._model.may_be_heard(self._voices.get(heard.id, heard), self._policy)

    def _is_plain(self) -> bool:
        """Whether nothing happened after which the real one may be stricter than the model."""
        strict = {"meddle", "revoke one", "delete", "ask twice"}
        return not any(event.what in strict for event in self._model.log)

    async def _ask(self) -> None:
        recording, sharing = self._dice.choice(RECORDINGS), self._dice.choice(SHARINGS)
        author_id = self._dice.choice((None, self._author, self._author, self._asker))
        request = await self._consents.ask(
            *(self._scope(self._asker), self._speaker),
            recording=recording,
            name="Ada",
            sharing=sharing,
            author_id=author_id,
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
            author_id=self._author if author_id == self._author else None,
        )

    async def _yes(self) -> None:
        await self._answer(yes=True)

    async def _no(self) -> None:
        await self._answer(yes=False)

    async def _answer(self, *, yes: bool) -> None:
        if not self._asked:
            return
        request_id = self._dice.choice(self._asked)
        asked = next(one for one in self._model.log if one.what == "ask" and one.request == request_id)
        people = (self._speaker, self._speaker, self._author, self._author, self._asker, self._guild)
        presser = self._dice.choice(people if asked.author_id else (self._speaker, *people))
        await self._consents.answer(request_id, presser, yes)
        assert presser in (self._speaker, asked.author_id)
        answered = asked._replace(at=self._at, what="yes" if yes else "no", policy=self._policy, by=presser)
        self._model.add(answered)
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

    def _anything(self) -> Voice | CloneGeneration | None:
        made: list[Voice | CloneGeneration] = [*self._voices.values(), *self._generations]
        return self._dice.choice(made) if made else None

    async def _play(self) -> None:
        """Let somebody press Play, or Again, or /speak: it waits in a queue, or is heard."""
        made = self._anything()
        if made is not None and await self._consents.permission_error(made, made.guild_id) is None:
            self._playing.append(made)

    async def _upload(self) -> None:
        """Let somebody want a voice message, which is on its way from now on."""
        made = self._anything()
        if made is not None and await self._consents.permission_error(made, made.guild_id) is None:
            self._uploads.append(made)

    async def _arrive(self) -> None:
        """Let what is on its way arrive: it stands there, until the bot has looked once more."""
        if not self._uploads:
            return
        made, post = self._uploads.pop(0), Post(1, 100_000 * self._guild + next(self._posts))
        self._posted[post] = (made, len(self._model.log))
        refusal = await self._consents.speech_posted(post, [made], made.guild_id, take_id="take")
        assert (refusal is None) == (post in self._posted)
        assert refusal is not None or self._may_be_heard(made), self._model.log

    async def _freeze_likeness(self) -> None:
        on = self._dice.random() < 0.6
        await self._world.freeze_likeness(self._guild, self._speaker, on, self._at)
        self._note(
            "freeze likeness" if on else "unfreeze likeness", guild_id=self._guild, member_id=self._speaker
        )
        if on:  # as the audit tells of it
            ids = [one.id for one in self._generations if one.guild_id == self._guild]
            self.hear(Withdrawal((), is_final=False, likenesses=ids))

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
            self._playing = [one for one in self._playing if one.id != voice.id]  # it cannot be done so

    async def _freeze(self) -> None:
        voice = self._any_voice()
        if voice is not None:
            voice = replace(voice, is_frozen=not voice.is_frozen)
            await self._change(voice)
            self.hear(Withdrawal([voice], is_final=False))  # as the audit tells of it
            self._note("freeze" if voice.is_frozen else "unfreeze", voice=voice.id)

    async def _change(self, voice: Voice) -> None:
        await self._world.change(voice.id, sharing=voice.sharing, is_frozen=voice.is_frozen)
        self._voices[voice.id] = voice

    def _any_voice(self) -> Voice | None:
        return self._dice.choice(list(self._voices.values())) if self._voices else None

    async def _revoke_all(self) -> None:
        member_id = self._dice.choice((self._speaker, self._author))
        self._lose(await self._consents.revoke(member_id))
        self._note("revoke all", member_id=member_id)

    async def _revoke_one(self) -> None:
        voice = self._any_voice()
        if voice is not None:
            self._lose(await self._consents.revoke(self._speaker, voice.id))
            self._note("revoke one", member_id=self._speaker, voice=voice.id)

    async def _delete(self) -> None:
        voice = self._any_voice()
        if voice is not None:
            self.hear(await self._world.delete(self._consents, voice))
            self._lose([voice])
            self._note("delete", voice=voice.id)

    def _lose(self, voices: list[Voice]) -> None:
        for voice in voices:
            self._gone.append(self._voices.pop(voice.id))

    async def _never(self) -> None:
        on = self._dice.random() < 0.5
        member_id = self._dice.choice((self._speaker, self._speaker, self._author))
        self._lose(await self._consents.never_clone(member_id, on))
        self._note("never on" if on else "never off", member_id=member_id)

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
        await self._consents.silence_guild(self._guild)
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
