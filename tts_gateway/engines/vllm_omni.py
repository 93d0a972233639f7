"""vllm-omni: a relay to one or several vLLM-Omni servers with VoxCPM2, our contract on their fields.

How those servers behave was read in vLLM-Omni 0.30.0: they know no shortest length, end only after 320 s by
themselves, fetch addresses that they are given, and stop working on an answer when nobody reads it any more.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
import numpy as np
from yarl import URL

from tts_gateway.engines.base import (
    EngineBusy,
    EngineDescription,
    EngineError,
    EngineMissing,
    ReferenceRefused,
    TextRefused,
)
from tts_gateway.engines.clips import Clip, ClipMaker
from tts_gateway.engines.descriptions import without_description
from tts_gateway.engines.espeak import Samples
from tts_gateway.engines.guards import longest_seconds, make_guarded
from tts_gateway.engines.languages import passages
from tts_gateway.engines.sound import OUTPUT_RATE, levelled, resampled, trimmed, wav_bytes
from untrusted import strict_json

log = logging.getLogger(__name__)

PLACES_EACH: Final = 8
"""Texts at once for each server: `max_num_seqs` of its default deployment."""

_STEP_SECONDS: Final = 0.16
_DEFAULTS: Final = (2.0, 10)  # cfg_value and dit_steps, which are constants there
_CONNECT_SECONDS: Final = 5.0
_GAP_SECONDS: Final = 30.0  # the first sound of a server that is full takes seconds
_LOOK_SECONDS: Final = 5.0
_FAILURES: Final = 2  # in a row, until a server gets nothing any more
_MOST_ERROR_BYTES: Final = 8_192
_ABOUT_REFERENCE: Final = ("ref_audio", "reference", "audio duration", "ref audio")
_SOUND_TYPES: Final = ("audio/", "application/octet-stream", "binary/")
_WAV_HEAD: Final = 12


class _UpstreamFailedError(EngineError):
    """A server failed in a way that another one may not."""


class _UpstreamBusyError(_UpstreamFailedError):
    """A server has no place."""


@dataclass(slots=True)
class _Upstream:
    url: URL
    outstanding: int = 0
    failures: int = 0

    @property
    def is_healthy(self) -> bool:
        return self.failures < _FAILURES

    def note(self, *, failed: bool) -> None:
        before, self.failures = self.is_healthy, self.failures + 1 if failed else 0
        if before is not self.is_healthy:
            log.warning(
                "%s %s", self.url, "answers again" if self.is_healthy else "gets nothing until it answers"
            )


class VllmOmniEngine:
    """Relay to the servers at ``upstreams``, the least busy first. ``key`` is theirs, if they want one.

    A server that fails twice gets nothing until its health is good again; what it failed at is tried once
    more elsewhere.
    """

    def __init__(
        self, upstreams: Sequence[str], key: str | None = None, *, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        if not upstreams:
            raise EngineMissing(
                "the engine vllm-omni needs the address of a server: --upstream http://127.0.0.1:8000 "
                "(start one with: docker compose -f compose.gpu.yaml up)"
            )
        self._upstreams = [_Upstream(_base(address)) for address in upstreams]
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._clips = ClipMaker()
        self._session: aiohttp.ClientSession | None = None
        self._look_seconds = look_seconds
        self._looking: asyncio.Task[None] | None = None
        self._has_told_defaults = False
        self.description = EngineDescription(
            engine="vllm-omni",
            model="VoxCPM2",
            places=PLACES_EACH * len(self._upstreams),
            credit="Voice model: VoxCPM2, by OpenBMB (Apache-2.0), served by vLLM-Omni (Apache-2.0)",
        )

    async def start(self) -> None:
        """Look at the servers once, and from then on every few seconds."""
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=_CONNECT_SECONDS, sock_read=_GAP_SECONDS, connect=_CONNECT_SECONDS
            ),
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        await self._look()
        if not any(upstream.is_healthy and not upstream.failures for upstream in self._upstreams):
            log.warning(
                "no vLLM-Omni server answers yet; they are looked at every %.0f s", self._look_seconds
            )
        self._looking = asyncio.create_task(self._keep_looking(), name="upstreams")

    @property
    def load(self) -> dict[str, float]:
        """What each server is doing, and whether it is asked, for the metrics."""
        found: dict[str, float] = {}
        for upstream in self._upstreams:
            found[f'tts_upstream_outstanding{{upstream="{upstream.url}"}}'] = upstream.outstanding
        for upstream in self._upstreams:
            found[f'tts_upstream_healthy{{upstream="{upstream.url}"}}'] = float(upstream.is_healthy)
        return found

    async def speak(self, text: str, *, cfg_value: float = 2.0, dit_steps: int = 10) -> bytes:
        """Return the text as a WAV; a description in front is followed. Raises as `Engine.speak` does."""
        if (cfg_value, dit_steps) != _DEFAULTS and not self._has_told_defaults:
            self._has_told_defaults = True
            log.info("cfg_value and dit_steps are constants in vLLM-Omni (%g and %d)", *_DEFAULTS)
        return await self._made(text, {}, "")

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None = None) -> bytes:
        """Return the text as a WAV in the voice of the recording. Raises as `Engine.clone` does.

        A transcript is sent only where it fits what is sent of the recording, without a description.
        """
        clip = await self._clips.clip_of(reference)
        description, _ = without_description(text)
        fields = {"ref_audio": await asyncio.to_thread(_data_address, clip)}
        if prompt_text and clip.is_whole and not description:
            fields["ref_text"] = prompt_text
        return await self._made(text, fields, clip.digest)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _made(self, text: str, fields: dict[str, str], voice: str) -> bytes:
        if not passages(without_description(text)[1]):
            raise TextRefused("there is nothing in the text that can be spoken")

        async def make(attempt: int) -> Samples:
            seed = hashlib.sha256(json.dumps([text, voice, attempt]).encode()).digest()
            body = {
                "input": text,
                "response_format": "pcm",
                "stream": True,
                "stream_format": "audio",
                "max_new_tokens": math.ceil(longest_seconds(text) / _STEP_SECONDS) + 1,
                "seed": int.from_bytes(seed[:4], "big") >> 1,
                **fields,
            }
            return trimmed(await self._ask(body, most_seconds=longest_seconds(text)))

        sound = await make_guarded(make, rate=OUTPUT_RATE, text=text)
        return await asyncio.to_thread(lambda: wav_bytes(levelled(sound)))

    async def _ask(self, body: dict[str, object], *, most_seconds: float) -> Samples:
        """Return what one server makes, or if it fails, another."""
        first = self._least_busy(None)
        try:
            return await self._ask_one(first, body, most_seconds)
        except _UpstreamFailedError as error:
            other = self._least_busy(first)
            if other is first:
                raise _final(error) from error
            log.warning("%s: %s; another server is asked", first.url, error)
        try:
            return await self._ask_one(other, body, most_seconds)
        except _UpstreamFailedError as error:
            raise _final(error) from error

    def _least_busy(self, tried: _Upstream | None) -> _Upstream:
        others = [upstream for upstream in self._upstreams if upstream is not tried] or self._upstreams
        return min(
            others, key=lambda upstream: (not upstream.is_healthy, upstream.outstanding, upstream.failures)
        )

    async def _ask_one(self, upstream: _Upstream, body: dict[str, object], most_seconds: float) -> Samples:
        upstream.outstanding += 1
        try:
            async with self._answer(upstream, body) as response:
                sound = await _sound_of(response, most_seconds)
        except _UpstreamBusyError:
            raise
        except _UpstreamFailedError:
            upstream.note(failed=True)
            raise
        finally:
            upstream.outstanding -= 1
        upstream.note(failed=False)
        return sound

    @asynccontextmanager
    async def _answer(
        self, upstream: _Upstream, body: dict[str, object]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield an answer that brings sound; leaving the block early ends the work there."""
        if self._session is None:
            raise EngineError("the relay has not started")
        url = upstream.url / "v1/audio/speech"
        try:
            async with self._session.post(url, json=body, allow_redirects=False) as response:
                await _check(response, has_reference="ref_audio" in body)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _UpstreamFailedError(f"the connection failed: {type(error).__name__}") from None

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._look_seconds)
            await self._look()

    async def _look(self) -> None:
        await asyncio.gather(*map(self._look_at, self._upstreams))

    async def _look_at(self, upstream: _Upstream) -> None:
        assert self._session is not None  # noqa: S101 - it is looked only after the start
        failed = True
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with asyncio.timeout(_CONNECT_SECONDS):
                async with self._session.get(upstream.url / "health", allow_redirects=False) as response:
                    failed = response.status != 200
        upstream.note(failed=failed)


def _final(error: _UpstreamFailedError) -> EngineError:
    """Return what the caller of the engine is told when no server is left."""
    if isinstance(error, _UpstreamBusyError):
        return EngineBusy(str(error))
    return EngineError(str(error))


def _base(address: str) -> URL:
    try:
        url = URL(address.rstrip("/").removesuffix("/v1"))
        fits = url.scheme in ("http", "https") and url.host and not (url.user or url.query_string)
    except ValueError:
        fits = False
    if not fits:
        raise EngineMissing(f"--upstream must be an address like http://127.0.0.1:8000, not {address!r}")
    return url


def _data_address(clip: Clip) -> str:
    return "data:audio/wav;base64," + base64.b64encode(clip.as_wav()).decode("ascii")


async def _check(response: aiohttp.ClientResponse, *, has_reference: bool) -> None:
    """Return if sound follows. Raises EngineError: one that says whether another server may do better."""
    if response.status == 200:
        if not response.content_type.startswith(_SOUND_TYPES):
            raise _UpstreamFailedError(f"it answers {response.content_type} in place of sound")
        return
    if response.status in (429, 503):
        raise _UpstreamBusyError("it has no free place")
    if response.status >= 500:
        raise _UpstreamFailedError(f"it answers with status {response.status}")
    if response.status == 400 and has_reference and _is_about_reference(await _message(response)):
        raise ReferenceRefused(
            "the voice model cannot use this recording; five to ten seconds of one voice are best"
        )
    if response.status in (401, 403):
        raise EngineError("the server refuses the key; look at --upstream-key-file")
    raise EngineError(f"the server refuses the request with status {response.status}")


async def _message(response: aiohttp.ClientResponse) -> str:
    try:
        answer = strict_json.parse(await response.content.read(_MOST_ERROR_BYTES))
    except (aiohttp.ClientError, ValueError):
        return ""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""


def _is_about_reference(message: str) -> bool:
    return any(word in message.lower() for word in _ABOUT_REFERENCE)


async def _sound_of(response: aiohttp.ClientResponse, most_seconds: float) -> Samples:
    """Return the sound that comes, and no more than just beyond ``most_seconds`` of it.

    It should be bare samples of 48 kHz; a WAV with or without sizes is understood too.
    """
    most_bytes = 2 * (int(most_seconds * OUTPUT_RATE) + OUTPUT_RATE)
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            break
    if not body.startswith(b"RIFF"):
        return _samples(bytes(body))
    data = body.find(b"data", _WAV_HEAD)
    form = body.find(b"fmt ", _WAV_HEAD)
    if data < 0 or form < 0 or len(body) < form + 24:
        raise _UpstreamFailedError("it sends a WAV that is none")
    kind, channels, rate = (
        int.from_bytes(body[form + start : form + start + size], "little")
        for start, size in ((8, 2), (10, 2), (12, 4))
    )
    if (kind, channels) != (1, 1) or not 8_000 <= rate <= 96_000:
        raise _UpstreamFailedError("it sends a WAV that is not mono with 16 bits")
    return resampled(_samples(bytes(body[data + 8 :])), rate)


def _samples(content: bytes) -> Samples:
    return np.frombuffer(content[: len(content) // 2 * 2], "<i2").astype(np.float32) / np.float32(32_768)
