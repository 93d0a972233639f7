"""Kept speech of several people, and each way in which some of it is taken away.

`python -m tests.speech.forgotten FOLDER WAY EVENT` dies in the middle of ``WAY``, at the first ``EVENT`` (one
of `sys.addaudithook`) that touches the cache.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bot.audio.maker import Maker
from bot.audio.sound import SpeechSound
from bot.library.cached_speeches import member_label, voice_label
from bot.library.consent_rules import likeness_id
from bot.library.generations import Generation
from bot.library.library import Library
from bot.library.voice import utc_now
from bot.library.withdrawal import Withdrawal
from bot.models import Speech
from bot.speech.cache import CacheFolder, SpeechCache
from tests.library.consents import GUILD, OTHER, SPEAKER, agreed_voice, cloning_on, owner, speaker

CACHE: Final = "cache"
OF_VOICE, OF_GENERATION, OF_MEMBER, OF_LIKENESS, OF_NOBODY = (letter * 64 for letter in "abcde")
NEW: Final = "f" * 64

ALL: Final = frozenset({OF_VOICE, OF_GENERATION, OF_MEMBER, OF_LIKENESS, OF_NOBODY})
GONE: Final[Mapping[str, frozenset[str]]] = MappingProxyType({
    "privacy delete": frozenset({OF_VOICE, OF_MEMBER, OF_LIKENESS}),
    "delete": frozenset({OF_VOICE}),
    "revoke one": frozenset({OF_VOICE}),
    "revoke all": frozenset({OF_VOICE, OF_LIKENESS}),
    "never clone": frozenset({OF_VOICE, OF_LIKENESS}),
    "generation": frozenset({OF_GENERATION}),
})  # fmt: skip
"""What is forgotten in each way."""

KEPT: Final = Speech((b"frame", b"another"), sound=SpeechSound(b"\1\2" * 500))
ANEW: Final = Speech((b"frame",), sound=SpeechSound(b"\3\4" * 500))


def cache_of(library: Library, folder: Path) -> SpeechCache:
    """Return the cache in ``folder``, not yet entered."""
    return SpeechCache(library.cached_speeches, CacheFolder(folder / CACHE), Maker(), max_bytes=1_000_000)


def files(folder: Path) -> set[str]:
    """Return the names of the files in the cache."""
    return {path.name for path in (folder / CACHE).iterdir()}


async def plant(library: Library, cache: SpeechCache) -> None:
    """Keep speech of each kind, all of it asked for by others but one; have files deleted as the bot does."""
    await cloning_on(library)
    voice = await agreed_voice(library)
    likeness = likeness_id(await library.consents.attest(speaker))
    how = (None, None, None, (), None, OF_GENERATION)
    await library.generations.keep(Generation("t", GUILD, OTHER, ("Hello",), *how, created_at=utc_now()))
    label = {
        OF_VOICE: voice_label(voice.id),
        OF_MEMBER: member_label(SPEAKER),
        OF_LIKENESS: voice_label(likeness),
    }
    for key in sorted(ALL):
        await cache.put(KEPT, cache.keeping(key, {label.get(key, ""), member_label(OTHER)} - {""}))

    async def hear(withdrawal: Withdrawal) -> None:
        await cache.forget(keys=withdrawal.speeches)

    library.withdrawals.subscribe(hear)


async def take_away(library: Library, cache: SpeechCache, way: str) -> None:
    """Do what takes speech away, or keeps new speech, and wait for all that follows."""
    (voice, *_) = await library.voices.complete_spoken_by(SPEAKER, "")
    if way == "privacy delete":
        await library.privacy.delete(SPEAKER)
    elif way == "delete":
        await library.voices.delete(owner, voice.id)
    elif way == "revoke one":
        await library.consents.revoke(SPEAKER, voice.id)
    elif way == "revoke all":
        await library.consents.revoke(SPEAKER)
    elif way == "never clone":
        await library.consents.never_clone(SPEAKER, True)
    elif way == "generation":
        await library.generations.forget("t")
        await cache.forget(keys=[OF_GENERATION])
    else:
        await cache.put(ANEW, cache.keeping(way, [member_label(SPEAKER)]))
    await library.withdrawals.aclose()


async def _die(folder: Path, way: str, at: str) -> None:
    def kill(event: str, arguments: tuple[object, ...]) -> None:
        if event == at and str(arguments[0]).startswith(str(folder / CACHE)):
            os.kill(os.getpid(), signal.SIGKILL)

    async with Library(None, folder) as library, cache_of(library, folder) as cache:
        await plant(library, cache)
        sys.addaudithook(kill)
        await take_away(library, cache, way)


if __name__ == "__main__":
    asyncio.run(_die(Path(sys.argv[1]), *sys.argv[2:]))
