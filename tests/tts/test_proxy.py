"""The TTS gateway and its recordings behind a proxy."""

from __future__ import annotations

import pickle
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.errors import TTSFetchError, TTSNoAnswerError, TTSUnreachableError
from bot.models import SpeechRequest
from bot.settings import Proxy, Secret
from bot.tts.client import TTSClient
from bot.tts.download import Downloader
from tests.fakes.connect_proxy import connect_proxy
from tests.fakes.tone_engine import TONE
from tests.tts.conftest import AT_ONCE, DOWNLOADS, KEY, TIMEOUTS, MakeClient


class Names(AbstractResolver):
    """Knows the addresses that it is given, for every name."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in self._addresses
        ]

    async def close(self) -> None:
        pass


async def fetched_through(proxy: Proxy, *addresses: str) -> None:
    downloader = Downloader(
        allow_loopback=True, limits=DOWNLOADS, resolver=Names(*addresses), proxy=proxy, trusted={"10.0.0.9"}
    )
    try:
        await downloader.download("https://recordings.example/x.wav").read()
    finally:
        await downloader.aclose()


@pytest.mark.parametrize(
    "private", ["10.0.0.5", "10.0.0.9", "127.0.0.1", "169.254.169.254", "::1", "fd00::1"]
)
async def test_a_recording_inside_the_network_is_not_asked_of_the_proxy(private: str) -> None:
    async with connect_proxy() as asked_of:
        with pytest.raises(TTSFetchError, match=r"recordings\.example: AddressRefused"):
            await fetched_through(Proxy(Secret(asked_of.address)), private)

        assert asked_of.asked == []


async def test_the_proxy_is_told_the_address_that_was_judged_and_no_name() -> None:
    async with connect_proxy(status=502) as asked_of:
        with pytest.raises(TTSFetchError):
            await fetched_through(
                Proxy(Secret(asked_of.address)), "2606:4700::1", "10.0.0.5", "93.184.216.34"
            )

        assert set(asked_of.asked) == {"93.184.216.34:443"}


async def test_a_recording_is_asked_of_the_proxy_in_another_process_too() -> None:
    async with connect_proxy(status=502) as asked_of:
        downloader = Downloader(
            allow_loopback=True, limits=DOWNLOADS, proxy=Proxy(Secret(asked_of.address)), trusted={"10.0.0.9"}
        )
        sent = [pickle.dumps(downloader.download("https://1.1.1.1/x.wav")) for _ in range(2)]

        for data in sent:
            download = pickle.loads(data)
            with pytest.raises(TTSFetchError):
                await download.read()
        await download._downloader.aclose()

    assert asked_of.asked == ["1.1.1.1:443", "1.1.1.1:443"]


async def test_a_tts_gateway_on_this_machine_is_not_asked_of_the_proxy(make_client: MakeClient) -> None:
    async with connect_proxy() as asked_of:
        client = make_client(proxy=Proxy(Secret(asked_of.address)))

        assert await client.synthesize(SpeechRequest("Hello")) == TONE
        assert asked_of.asked == []


async def test_a_proxy_that_refuses_the_way_has_cost_nothing_and_is_tried_again() -> None:
    async with connect_proxy(status=503) as asked_of:
        address = asked_of.address.replace("//", "//myna:secret@")
        proxy = Proxy(Secret(address), "elsewhere.example")
        client = TTSClient(
            "https://tts.example/v1", Secret(KEY), retry=AT_ONCE, timeouts=TIMEOUTS, proxy=proxy
        )
        async with client:
            with pytest.raises(TTSUnreachableError, match="ClientHttpProxyError") as raised:
                await client.synthesize(SpeechRequest("Hello"))

        assert asked_of.asked == ["tts.example:443"] * AT_ONCE.tries
        assert set(asked_of.credentials) == {"basic bxluytpzzwnyzxq="}  # in small letters, as all headers
        assert not isinstance(raised.value, TTSNoAnswerError)
