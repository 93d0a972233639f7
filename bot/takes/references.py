"""What a saved voice is cloned from: asked for when a call is made, and its leave to speak."""

from __future__ import annotations

import asyncio
import logging

from bot.errors import MemberError
from bot.models import ReferenceAudio, SpokenVoice, VoiceAccess

log = logging.getLogger(__name__)


class SavedReference:
    """The reference audio of one saved voice, or of a likeness, in one utterance.

    All calls of the utterance have the same address. That of a saved voice is replaced once, should the TTS
    gateway not be able to use it.
    """

    def __init__(self, voice: SpokenVoice, access: VoiceAccess) -> None:
        self._voice = voice
        self._access = access
        self._audio: ReferenceAudio | None = None
        self._was_renewed = False
        self._lock = asyncio.Lock()

    async def check(self) -> None:
        """Return if the voice may speak now. Raises `MemberError` with the reason if not."""
        reason = await self._access.may_speak(self._voice)
        if reason is not None:
            raise MemberError(reason)

    async def audio(self) -> ReferenceAudio:
        """Return its recording as the TTS gateway can have it now. Raises what `check` raises."""
        async with self._lock:
            if self._audio is None:
                await self.check()  # the recording of a revoked voice is not published again
                self._audio = self._member_s_own() or await self._access.reference(self._voice)
            return self._audio

    async def renew(self, refused: ReferenceAudio) -> bool:
        """Return whether there is another address than that of ``refused``; if need be, a fresh one.

        Raises what `check` raises.
        """
        async with self._lock:
            if self._audio is not refused:  # another call has renewed it already
                return True
            if self._was_renewed or self._voice.url is not None:
                return False
            self._was_renewed = True
            await self.check()
            log.info("the TTS gateway could not use a reference; it gets a fresh address once")
            self._audio = await self._access.renew(self._voice)
            return True

    def _member_s_own(self) -> ReferenceAudio | None:
        """Return the recording of a likeness, which lies where its member has put it."""
        url = self._voice.url
        return None if url is None else ReferenceAudio(url, self._voice.transcript)
