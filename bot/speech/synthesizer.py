"""Speech synthesizer: speech for members, kept from before, shared with others, or made anew."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from bot.audio.maker import Maker
from bot.library.cached_speeches import member_label, voice_label
from bot.library.usage import Usage
from bot.limits import MAX_UTTERANCES_PER_MEMBER
from bot.models import Asker, Speech, SpeechRequest, VoiceAccess
from bot.speech.cache import SpeechCache, UnfetchedGenerations, speech_key
from bot.speech.job import MemberQuota, SharedJobs, SpeechJob
from bot.speech.segment_plan import PlaybackClock, Speed
from bot.speech.speaker import RetryBudget, SpeechResources, TTSGatewayStats
from bot.tts.client import TTSClient


class SpeechSynthesizer:
    """Synthesizer of speech for members, with the same TTS gateway, cache and maker for all of them.

    ``in_hand`` is how many requests one member may have under way or waiting. ``source`` stands for the TTS
    gateway and its defaults: what is kept in ``cache`` under another one is not used. ``speed`` is what is
    believed of it before the first call. ``usage`` counts what the TTS gateway is asked for.
    """

    def __init__(
        self,
        tts: TTSClient,
        cache: SpeechCache,
        maker: Maker,
        *,
        source: str = "",
        speed: Speed | None = None,
        in_hand: int = MAX_UTTERANCES_PER_MEMBER,
        usage: Usage | None = None,
    ) -> None:
        self._cache = cache
        self._source = source
        self._unfetched = UnfetchedGenerations()
        retries = RetryBudget()
        resources = SpeechResources(tts, maker, TTSGatewayStats(speed), retries, self._unfetched, usage)
        self._jobs = SharedJobs(resources, cache)
        self._quota = MemberQuota(in_hand)

    def submit(
        self,
        request: SpeechRequest,
        asker: Asker,
        *,
        access: VoiceAccess | None = None,
        seconds_before: float | None = None,
        asked: float | None = None,
    ) -> SpeechJob:
        """Return the job of making ``request``, to be used in ``with`` and iterated for its Opus frames.

        Equal requests get the same speech, made once, unless they ask for a fresh one. ``seconds_before`` is
        what the listener hears before it; None: nobody listens, it becomes a file. ``access`` is needed for
        a request with saved voices or a likeness. ``asked`` is when it was asked for, by the monotonic clock,
        if that was earlier: the first sound is timed from then on. Raises `MemberError` if this member has
        enough in hand.
        """
        clock = PlaybackClock(seconds_before)
        key = self.key_of(request)
        return SpeechJob(self._jobs, self._quota, request, key, asker, clock, access, asked)

    async def lull(self) -> None:
        """Wait until no listener of any server waits for a first sound, a second at most.

        Whatever can wait and takes a while is done behind this: when a hundred ask at once, the files of
        some would else be made and sent before others hear anything.
        """
        await self._jobs.lull()

    async def withdraw(
        self, *voice_ids: str, members: Collection[str] = (), speeches: Collection[str] = ()
    ) -> None:
        """End everything that is being made with these voices or likenesses, and forget what is kept of them.

        ``speeches`` are the keys of what is forgotten too, ``members`` labels of whom it was for. Whoever
        waits for it gets a `MemberError` that says so. New requests are up to `VoiceAccess`.
        """
        labels = [*(voice_label(one) for one in voice_ids), *members]
        forgetting = self._cache.forget(labels, speeches)
        try:
            await asyncio.gather(forgetting, self._jobs.withdraw(*voice_ids))
        finally:  # after the jobs, one of which may just have failed
            self._unfetched.forget_all(voice_ids=voice_ids, members=members)

    def forget_member(self, member_id: int) -> None:
        """Forget where what this member asked for lies, if it could not be fetched."""
        self._unfetched.forget_all(members=[member_label(member_id)])

    async def made_before(
        self, request: SpeechRequest, frames: Sequence[bytes], *, rest_is_missing: bool
    ) -> Speech:
        """Return the speech of a job that gave these ``frames``, for whoever did not hold on to it.

        It is the very same while it is kept in the cache, and else what the frames sound like.
        """
        kept = await self.kept(self.key_of(request))
        if kept is not None and kept.frames == tuple(frames):
            return kept
        return Speech(tuple(frames), rest_is_missing)

    def key_of(self, request: SpeechRequest) -> str:
        """Return the word under which the speech of ``request`` is kept; it tells nothing of what it says."""
        return speech_key(request, self._source)

    async def kept(self, key: str) -> Speech | None:
        """Return the speech that is kept under ``key``, a word of `key_of`."""
        return await self._cache.get(key)

    async def forget(self, key: str) -> None:
        """Throw away the speech that is kept under ``key``."""
        await self._cache.forget(keys=[key])

    async def aclose(self) -> None:
        """Wait until nothing is made or kept any more. Whoever waits for speech has been cancelled before."""
        await self._jobs.wait_ended()
        await self._cache.settled()
