"""What the tests of downloads share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.errors import TTSFetchError
from bot.tts.download import Downloader
from tests.fakes.raw_server import answer
from tests.fakes.tone_engine import TONE

GOOD = answer(TONE)
MakeDownloader = Callable[..., Downloader]


async def refused(downloader: Downloader, address: str) -> TTSFetchError:
    with pytest.raises(TTSFetchError) as raised:
        await downloader.download(address).read()
    assert type(raised.value) is TTSFetchError
    assert not address or address not in str(raised.value)
    return raised.value
