"""Fetching a model's files: what broke off goes on, and what is not what it should be is thrown away."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

from tts_gateway.models.store import Model, ModelFile, ModelStore, StoreError, check_sum

_TRIES: Final = 5
_DELAY_SECONDS: Final = 1.0
_CONNECT_SECONDS: Final = 15.0
_GAP_SECONDS: Final = 60.0
_CHUNK: Final = 1024 * 1024
_GROWTH: Final = 1.2  # a file may be so much larger than the catalogue says, where it has no checksum
_REVISION_HEADER: Final = "X-Repo-Commit"
"""The model hub names the immutable revision behind a branch or a tag in it."""

Say = Callable[[str], None]


async def fetch_files(
    store: ModelStore, model: Model, *, source: str | None, say: Say, delay: float = _DELAY_SECONDS
) -> str:
    """Fetch the files of ``model`` into its part folder, and return the revision they are of.

    ``say`` is told the progress, and which checksums were pinned for want of published ones.
    Raises StoreError.
    """
    base = source or model.source
    if base is None:
        raise StoreError(f"nobody offers the model {model.name} for download; type {model.install}")
    if not base.endswith("/"):
        base += "/"
    pins = store.pinned(model.name)
    folder = store.part_folder(model.name)
    folder.mkdir(parents=True, exist_ok=True)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_GAP_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        revision = model.revision or pins.get("revision")
        if revision is None and "{revision}" in base:
            revision = await _revision(session, base, model)
        new = {"revision": revision or "mirror"}
        for file in model.files:
            url = URL(base.replace("{revision}", revision or "") + file.origin, encoded=True)
            download = _Download(session, url, folder / file.path, file, say)
            found = await download.fetch(delay)
            if found is None:
                continue
            try:
                check_sum(model, file, found, pins)
            except StoreError:
                download.forget()
                raise
            new[file.path] = found
            if file.sha256 is None and file.path not in pins:
                say(f"{file.path}: sha256 {found}; none is published, so this one is kept and compared later")
    if new != pins:
        store.pin(model.name, {**pins, **new})
    return new["revision"]


async def _revision(session: aiohttp.ClientSession, base: str, model: Model) -> str:
    url = URL(base.replace("{revision}", model.ref or "main") + model.files[0].origin, encoded=True)
    try:
        async with session.head(url, allow_redirects=False) as response:
            found = response.headers.get(_REVISION_HEADER, "")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise StoreError(f"{url.host} cannot be reached: {type(error).__name__}") from None
    if len(found) != 40 or not all(digit in "0123456789abcdef" for digit in found):
        raise StoreError(f"{url.host} does not say which revision it has; give another --source")
    return found


class _Download:
    """Download of one file; what is there of it from before is not fetched again."""

    def __init__(
        self, session: aiohttp.ClientSession, url: URL, path: Path, file: ModelFile, say: Say
    ) -> None:
        self._session = session
        self._url = url
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._tag = path.with_name(f"{path.name}.etag")
        self._file = file
        self._progress = _Progress(file.path, say)
        self._most = int(file.bytes * _GROWTH) + _CHUNK

    def forget(self) -> None:
        """Throw away what was fetched of it."""
        for path in (self._path, self._part, self._tag):
            path.unlink(missing_ok=True)

    async def fetch(self, delay: float) -> str | None:
        """Return its checksum once it is all there; None if there is none of it. Raises StoreError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            return await asyncio.to_thread(_digest_of, self._path)
        tries = 0
        while True:
            tries += 1
            before = self._size()
            try:
                return await self._one_try()
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                if self._size() > before:
                    tries = 1  # it goes on, however often it breaks off
                if tries >= _TRIES:
                    raise StoreError(
                        f"{self._url.host} does not send {self._file.path} ({type(error).__name__}); what "
                        "came is kept, and the same command goes on from there"
                    ) from None
            except OSError as error:
                raise StoreError(f"{self._part} cannot be written: {error.strerror}") from error
            await asyncio.sleep(delay * 2 ** (tries - 1))

    def _size(self) -> int:
        try:
            return self._part.stat().st_size
        except FileNotFoundError:
            return 0

    async def _one_try(self) -> str | None:
        have = self._size()
        tag = self._tag.read_text("utf-8") if have and self._tag.exists() else ""
        headers = {"Accept-Encoding": "identity"}
        if have and tag:
            headers |= {"Range": f"bytes={have}-", "If-Range": tag}
        async with self._session.get(self._url, headers=headers) as response:
            if response.status == 404 and self._file.is_optional:
                return None
            begins = self._begins_at(response, have)
            expected = begins + response.content_length if response.content_length is not None else None
            self._check_size(expected or 0)
            self._tag.write_text(response.headers.get("ETag", ""), encoding="utf-8")
            digest = hashlib.sha256()
            with self._part.open("r+b" if begins else "wb") as file:
                while begins and (chunk := file.read(_CHUNK)):
                    digest.update(chunk)
                count = begins
                async for chunk in response.content.iter_chunked(_CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    count += len(chunk)
                    self._check_size(count)
                    self._progress.show(count, expected or self._file.bytes)
            if expected is not None and count < expected:
                raise aiohttp.ClientPayloadError("cut off")
        self._part.replace(self._path)
        self._tag.unlink(missing_ok=True)
        return digest.hexdigest()

    def _begins_at(self, response: aiohttp.ClientResponse, have: int) -> int:
        """Return where the body begins in the file. Raises StoreError for an answer that is no file."""
        if self._url.scheme == "https" and response.url.scheme != "https":
            raise StoreError(f"{self._url.host} leads from https to http; nothing was fetched")
        if response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            return have
        if response.status == 416:  # there is more here than there
            self.forget()
            raise aiohttp.ClientPayloadError("out of range")
        if response.status >= 500 or response.status == 429:
            raise aiohttp.ClientPayloadError(f"status {response.status}")
        if response.status != 200:
            raise StoreError(
                f"{self._url.host} answers {response.status} for {self._file.path}; nothing was changed"
            )
        if response.content_type == "text/html":
            raise StoreError(
                f"{self._url.host} sends a web page in place of {self._file.path}; is a login needed?"
            )
        return 0

    def _check_size(self, count: int) -> None:
        if count > self._most:
            self.forget()
            raise StoreError(
                f"{self._file.path} is larger than it should be ({count / 1e6:,.0f} MB and more, not "
                f"{self._file.bytes / 1e6:,.0f}); nothing of it is kept"
            )


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Progress:
    """Progress of one file: a line that changes on a terminal, one every 5 % in a log."""

    def __init__(self, name: str, say: Say) -> None:
        self._name = name
        self._say = say
        self._is_terminal = sys.stdout.isatty()
        self._shown = 0
        self._last = 0.0

    def show(self, count: int, total: int) -> None:
        """Show how far it is, if that is something new."""
        percent = min(100, 100 * count // max(total, 1))
        now = time.monotonic()
        if self._is_terminal:
            if now - self._last > 0.2 or percent == 100:
                self._last = now
                sys.stdout.write(f"\r{self._name}: {percent} % of {total / 1e6:,.0f} MB")
                sys.stdout.write("\n" if percent == 100 and self._shown != 100 else "")
                sys.stdout.flush()
                self._shown = percent
        elif percent >= self._shown + 5:
            self._shown = percent - percent % 5
            self._say(f"{self._name}: {self._shown} %")
