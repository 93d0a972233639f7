"""Where downloads go, and what they send."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.errors import TTSFetchError
from bot.limits import MAX_URL_CHARS
from bot.models import SpeechRequest
from bot.settings import Secret
from bot.tts.client import TTSClient
from bot.tts.download import Downloader
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes.certificates import certified
from tests.fakes.raw_server import answer, saying, serving
from tests.fakes.tone_engine import TONE
from tests.tts.conftest import DOWNLOADS, KEY
from tests.tts.downloading import GOOD, MakeDownloader, refused


class EverythingIs(AbstractResolver):
    """A resolver that gives every name the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


ADDRESSES = [
    "https://127.0.0.1:{port}/",
    "https://127.1:{port}/",
    "https://127.0.1:{port}/",
    "https://2130706433:{port}/",
    "https://0x7f000001:{port}/",
    "https://0x7f.0.0.1:{port}/",
    "https://0177.0.0.1:{port}/",
    "https://0:{port}/",
    "https://0.0.0.0:{port}/",
    "https://127.0.0.1.:{port}/",
    "https://127.127.127.127:{port}/",
    "https://１２７.０.０.１:{port}/",
    "https://127。0。0。1:{port}/",
    "https://[::1]:{port}/",
    "https://[::]:{port}/",
    "https://[0:0:0:0:0:0:0:1]:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/",
    "https://[::ffff:7f00:1]:{port}/",
    "https://[::127.0.0.1]:{port}/",
    "https://[64:ff9b::7f00:1]:{port}/",
    "https://[2002:7f00:1::]:{port}/",
    "https://[fe80::1%25lo]:{port}/",
    "https://[::1%25lo]:{port}/",
    "https://localhost:{port}/",
    "https://LOCALHOST:{port}/",
    "https://localhost.:{port}/",
    "https://localhost.localdomain:{port}/",
    "https://rebinding.example:{port}/",
    "https://pub-1.r2.dev:{port}/",
    "https://pub-1.r2.dev.evil.example:{port}/",
    "https://evilr2.dev:{port}/",
    "https://ſocal.example:{port}/",
    "https://xn--a.example:{port}/",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/",
    "https://192.168.0.1:8443/",
    "https://[fd00:ec2::254]/",
    "https://224.0.0.1/",
    "https://pub-1.r2.dev@127.0.0.1:{port}/",
    "https://pub-1.r2.dev:x@127.0.0.1:{port}/",
    "https://@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}\\@pub-1.r2.dev/",
    "https://pub-1.r2.dev\\@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}#@pub-1.r2.dev/",
    "https://127.0.0.1:{port}?@pub-1.r2.dev/",
    "https://127.0.0.1%00.r2.dev:{port}/",
    "https://127.0.0.1:{port}/\r\nHost: pub-1.r2.dev",
    "https://127.0.0.1:{port}/ a",
    "https://127.0.0.1:{port}/\x00",
    "https://127.0.0.1:22/",
    "https://127.0.0.1:0/",
    "https://127.0.0.1:99999/",
    "https://127.0.0.1:-1/",
    "https:///127.0.0.1:{port}/",
    "https:127.0.0.1:{port}",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "/files/a.wav",
    "",
    "http://127.0.0.1:{port}/",
    "HTTP://127.0.0.1:{port}/",
    "http://pub-1.r2.dev:{port}/",
    "ws://127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/a.wav",
    "file:///etc/passwd",
    "data:audio/wav;base64,UklGRg==",
    "concat:a|b",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_no_spelling_of_an_inner_address_is_connected_to(make_downloader: MakeDownloader, address: str):
    limits = replace(DOWNLOADS, connect=2, total=5, tries=1)
    resolver = EverythingIs("127.0.0.1")
    downloader = make_downloader(limits, allow_loopback=False, resolver=resolver)
    async with serving(saying(GOOD)) as server:
        await refused(downloader, address.format(port=server.port))

        assert server.connections == 0


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1"])
async def test_a_name_that_leads_inside_is_refused_without_a_second_try(
    make_downloader: MakeDownloader, address: str, caplog: pytest.LogCaptureFixture
):
    downloader = make_downloader(allow_loopback=True, resolver=EverythingIs(address))

    error = await refused(downloader, "https://pub-1.r2.dev/a.wav")

    assert "AddressRefused" in str(error)
    assert "next in" not in caplog.text


async def test_an_address_of_ten_megabytes_is_refused_before_it_is_read(downloader: Downloader):
    await refused(downloader, "https://pub-1.r2.dev/" + "a" * 10_000_000)


def test_the_longest_address_is_accepted_and_a_longer_one_is_not(downloader: Downloader):
    address = "https://pub-1.r2.dev/" + "a" * (MAX_URL_CHARS - 21)

    assert str(downloader.checked(address)) == address
    with pytest.raises(TTSFetchError):
        downloader.checked(address + "a")


@pytest.mark.parametrize(
    "address",
    ["https://pub-1.r2.dev/1-2.wav", "https://tts.example:8443/a.wav?sig=%2B1", "http://localhost:80/a.wav"],
)
def test_ordinary_addresses_are_accepted(downloader: Downloader, address: str):
    downloader.checked(address)


@pytest.mark.parametrize("userinfo", ["user@", "user:password@", ":password@"])
def test_names_and_passwords_in_an_address_are_refused(downloader: Downloader, userinfo: str):
    with pytest.raises(TTSFetchError):
        downloader.checked(f"https://{userinfo}pub-1.r2.dev/a.wav")


async def test_plain_http_only_while_the_tts_gateway_is_on_this_machine(make_downloader: MakeDownloader):
    async with serving(saying(GOOD)) as server:
        assert await make_downloader().download(f"{server.url}/a.wav").read() == TONE
        await refused(make_downloader(allow_loopback=False), f"{server.url}/a.wav")

        assert len(server.requests) == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(
    downloader: Downloader, tmp_path: Path
):
    async with serving(saying(GOOD), tls=certified("127.0.0.1", tmp_path)[0]) as server:
        await refused(downloader, f"{server.url}/a.wav")

        assert server.requests == []


async def test_downloads_carry_no_key_no_cookie_and_no_authorization(tts_base_url: str, faults: FaultScript):
    async with TTSClient(tts_base_url, Secret(KEY)) as client:
        for _ in range(40):
            await client.synthesize(SpeechRequest("Hello"))

    assert len(faults.downloads) == 40
    for request in faults.downloads:
        names = {name.lower() for name in request.headers}
        assert not names & {"ocp-apim-subscription-key", "cookie", "authorization"}
        assert KEY not in "".join(request.headers.values())
        assert request.headers["Accept-Encoding"] == "identity"


async def test_a_cookie_of_the_content_network_does_not_come_back(downloader: Downloader):
    async with serving(saying(answer(TONE, "Set-Cookie: a=1; Path=/"))) as server:
        for _ in range(2):
            await downloader.download(f"{server.url}/a.wav").read()

        assert b"cookie" not in b"".join(server.requests).lower()


async def test_proxy_variables_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tts_base_url: str
):
    async with serving(saying(GOOD)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with TTSClient(tts_base_url, Secret(KEY)) as client:
            assert await client.synthesize(SpeechRequest("Hello")) == TONE

        assert proxy.connections == 0
