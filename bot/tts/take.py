"""One answer of the TTS gateway to one request: where its sound is, and its bytes as they arrive."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from bot.errors import TTSError
from bot.tts.secrecy import bare


class Take:
    """A WAV that the TTS gateway has made, and that is fetched while it is read.

    ``url`` is its public address, None when the answer was the sound itself. Whoever reads the address
    can hear the recording, so it is never shown or logged.
    """

    def __init__(self, url: str | None, body: AsyncGenerator[bytes]) -> None:
        self.url = url
        self._body = body

    def __repr__(self) -> str:
        return "Take(at an address)" if self.url else "Take(in the answer)"

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the bytes as they arrive, cut anywhere; they begin as a WAV. It can be read once.

        Close it (`contextlib.aclosing`) when its end is not awaited. Raises `TTSFetchError`, also after
        the first chunks: then the rest could not be had in several tries.
        """
        try:
            async with aclosing(self._body) as body:
                async for chunk in body:
                    yield chunk
        except TTSError as error:
            raise bare(error) from None

    async def read(self) -> bytes:
        """Return the whole WAV. Raises `TTSFetchError`."""
        async with aclosing(self.chunks()) as chunks:
            return b"".join([chunk async for chunk in chunks])
