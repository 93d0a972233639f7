"""Recordings that are handed over: each for one call, by the very address, and never fetched or served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from tests.fakes.recording_server import RECORDING, recordings
from tests.fakes.tone_engine import ToneEngine
from tests.fakes.tts_gateway_caller import Caller
from tts_gateway.fetch import CANNOT_BE_REACHED, FetchOptions
from tts_gateway.server import ServerOptions, create_app, serving
from tts_gateway.sounds import HandedOverRecordings

TOKEN = "q7Zk0f_vB3mT9xYwLr5sHcD1-eGaUoNi"


@dataclass
class Handing:
    """A server that knows one recording which was handed over."""

    caller: Caller
    engine: ToneEngine
    handed_over: HandedOverRecordings
    address: str

    async def refused(self, url: str) -> str:
        """Return the reason; the recording must not have reached the engine."""
        answer = await self.caller.clone(url)
        assert answer.status == 400, url
        assert self.engine.calls == [], url
        return answer.message


@pytest.fixture
async def handing() -> AsyncIterator[Handing]:
    engine, handed_over = ToneEngine(), HandedOverRecordings()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        app = create_app(engine, handed_over=handed_over)
        caller = Caller(session, await stack.enter_async_context(serving(app)))
        address = f"{caller.origin}/recordings/{TOKEN}"
        handed_over.keep(address, RECORDING)
        yield Handing(caller, engine, handed_over, address)


async def test_a_call_that_names_it_gets_it_and_no_second_one_does(handing: Handing) -> None:
    first = await handing.caller.clone(handing.address)
    again = await handing.caller.clone(handing.address)

    assert first.status == 200
    assert [call[1] for call in handing.engine.calls] == [RECORDING]
    assert (again.status, again.message) == (400, CANNOT_BE_REACHED)


async def test_of_many_calls_at_once_one_gets_it(handing: Handing) -> None:
    answers = await asyncio.gather(*(handing.caller.clone(handing.address) for _ in range(8)))

    assert sorted(answer.status for answer in answers) == [200] + [400] * 7


async def test_a_recording_handed_over_is_served_to_nobody(handing: Handing) -> None:
    for path in (handing.address, f"{handing.caller.base_url}/recordings/{TOKEN}", f"/files/{TOKEN}"):
        answer = await handing.caller.get(path)
        assert answer.status == 404, path
        assert RECORDING[:44] not in answer.body

    assert (await handing.caller.clone(handing.address)).status == 200


def spellings(address: str) -> list[str]:
    """Return other ways to write an address of this machine: what a URL parser may take for the same."""
    url = URL(address)
    port, path = url.port, url.path
    hosts = (
        *(
            "localhost",
            "LOCALHOST",
            "localhost.",
            "127.0.0.2",
            "127.1",
            "127.0.1",
            "0x7f000001",
            "2130706433",
        ),
        *(
            "0177.0.0.1",
            "0",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
        ),
        *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "10.0.0.1", "192.168.0.1", "169.254.169.254", "[fe80::1]"),
        *("[fd00::1]", "192.88.99.1", "198.18.0.1", "100.64.0.1", "224.0.0.1", "255.255.255.255"),
    )
    return [
        *(f"http://{host}:{port}{path}" for host in hosts),
        *(
            f"https://127.0.0.1:{port}{path}",
            f"HTTP://127.0.0.1:{port}{path}",
            f"http://127.0.0.1:0{port}{path}",
        ),
        *(f"{address}/", f"{address}?", f"{address}#", f"{address}?x=1", f"{address} ", f" {address}"),
        f"{address[:-1]}{quote('i')}%00",
        address.replace(TOKEN, quote(TOKEN, safe="").replace("q", "%71")),
        address.replace("/recordings/", "//recordings/"),
        address.replace("/recordings/", "/./recordings/"),
        address.replace("/recordings/", "/x/../recordings/"),
        address.replace("127.0.0.1", "x@127.0.0.1"),
        address.replace("127.0.0.1", "127.0.0.1%2f"),
        *(address.replace(TOKEN, token) for token in ("", TOKEN[:-1], TOKEN.lower(), TOKEN[::-1], "*", "..")),
        f"{url.origin()}/health",
    ]


async def test_no_other_spelling_of_its_address_gets_it_and_none_uses_it_up(handing: Handing) -> None:
    for url in spellings(handing.address):
        await handing.refused(url)

    assert (await handing.caller.clone(handing.address)).status == 200


@pytest.mark.parametrize("allow_loopback", [False, True])
async def test_no_redirect_leads_to_it(allow_loopback: bool) -> None:
    engine, handed_over = ToneEngine(), HandedOverRecordings()
    options = ServerOptions(fetch=FetchOptions(allow_loopback=allow_loopback))
    app = create_app(engine, options=options, handed_over=handed_over)
    async with aiohttp.ClientSession() as session, serving(app) as base_url, recordings() as elsewhere:
        caller = Caller(session, base_url)
        address = f"{caller.origin}/recordings/{TOKEN}"
        handed_over.keep(address, RECORDING)

        answer = await caller.clone(f"{elsewhere.origin}/to?url={quote(address, safe='')}")

        assert answer.status == 400
        assert engine.calls == []
        assert handed_over.take(address) == RECORDING


async def test_a_recording_handed_over_expires_and_the_oldest_goes_first(handing: Handing) -> None:
    soon = HandedOverRecordings(keep_seconds=0.0)
    soon.keep("a", RECORDING)
    few = HandedOverRecordings(max_bytes=2 * len(RECORDING))
    for name in ("a", "b", "c"):
        few.keep(name, RECORDING)

    assert soon.take("a") is None
    assert [few.take(name) for name in ("a", "b", "c")] == [None, RECORDING, RECORDING]


async def test_a_call_that_fails_at_the_engine_has_used_it_up(handing: Handing) -> None:
    handing.handed_over.keep(handing.address, b"no sound at all")

    refused = await handing.caller.clone(handing.address)
    again = await handing.caller.clone(handing.address)

    assert (refused.status, refused.message) == (400, "The recording is not sound.")
    assert (again.status, again.message) == (400, CANNOT_BE_REACHED)
