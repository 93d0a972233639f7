"""How the recording behind a stranger's address is fetched, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.certificates import certified
from tests.fakes.recording_server import RECORDING, SMALL_LIMIT, Recordings, recordings
from tests.fakes.tts_gateway_caller import DEADLINE
from tts_gateway.fetch import Endpoint, FetchOptions, ReferenceFetcher
from tts_gateway.wire import RequestRefused

OPEN = FetchOptions(allow_loopback=True, max_bytes=SMALL_LIMIT, total_seconds=DEADLINE)
UNREACHABLE = "reference_audio_url cannot be reached."
NO_ADDRESS = "reference_audio_url must be an http or https address."


@pytest.fixture
async def served() -> AsyncIterator[Recordings]:
    async with recordings() as server:
        yield server


async def fetched(url: str, options: FetchOptions = OPEN) -> bytes:
    fetcher = ReferenceFetcher(options)
    try:
        async with asyncio.timeout(DEADLINE):
            return await fetcher.fetch(url)
    finally:
        await fetcher.aclose()


async def refused(url: str, options: FetchOptions = OPEN) -> str:
    with pytest.raises(RequestRefused) as refusal:
        await fetched(url, options)
    assert refusal.value.status == 400
    return str(refusal.value)


@pytest.mark.parametrize("path", ["/voice.wav", "/hops/1", "/hops/2", "/code/301", "/code/308", "/identity"])
async def test_a_recording_is_fetched_also_behind_two_redirects(served: Recordings, path: str):
    assert await fetched(served.origin + path) == RECORDING


async def test_what_is_fetched_is_not_judged_here(served: Recordings):
    assert await fetched(f"{served.origin}/html") == b"<html>"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/hops/3", "reference_audio_url redirects too often."),
        ("/hops/9", "reference_audio_url redirects too often."),
        ("/nowhere", "reference_audio_url redirects too often."),
        ("/to?url=file:///etc/passwd", NO_ADDRESS),
        ("/to?url=ftp://127.0.0.1/", NO_ADDRESS),
        ("/to?url=http://user@127.0.0.1/", NO_ADDRESS),
        ("/to?url=http://127.0.0.1:25/", "reference_audio_url has a port that is not for the web."),
        ("/to?url=http://10.255.255.1/", UNREACHABLE),
        ("/code/404", "reference_audio_url answers with status 404."),
        ("/code/403", "reference_audio_url answers with status 403."),
        ("/code/500", "reference_audio_url answers with status 500."),
        ("/code/204", "reference_audio_url answers with status 204."),
        ("/code/304", "reference_audio_url answers with status 304."),
        ("/empty", "reference_audio_url is empty."),
        (f"/size/{SMALL_LIMIT + 1}", f"reference_audio_url is larger than {SMALL_LIMIT} bytes."),
        (f"/chunked/{SMALL_LIMIT + 1}", f"reference_audio_url is larger than {SMALL_LIMIT} bytes."),
        ("/promise", f"reference_audio_url is larger than {SMALL_LIMIT} bytes."),
        ("/endless", f"reference_audio_url is larger than {SMALL_LIMIT} bytes."),
        ("/gzip", "reference_audio_url answers with a compressed body."),
        ("/cut", UNREACHABLE),
    ],
)
async def test_everything_else_is_refused_with_its_reason(served: Recordings, path: str, reason: str):
    assert await refused(served.origin + path) == reason


async def test_the_size_limit_itself_is_allowed(served: Recordings):
    for path in ("size", "chunked"):
        assert len(await fetched(f"{served.origin}/{path}/{SMALL_LIMIT}")) == SMALL_LIMIT


async def test_a_dripping_body_ends_with_the_total_time(served: Recordings):
    assert await refused(f"{served.origin}/drip", replace(OPEN, total_seconds=0.3)) == UNREACHABLE


async def test_a_silent_server_ends_with_the_read_time():
    ended = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        ended.set()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]

        reason = await refused(f"http://127.0.0.1:{port}/", replace(OPEN, read_seconds=0.2))
        async with asyncio.timeout(DEADLINE):
            await ended.wait()

    assert reason == UNREACHABLE


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/voice.wav",
        "data:audio/wav;base64,UklGRg==",
        "concat:a|b",
        "voice.wav",
        "//127.0.0.1/voice.wav",
        "http://",
        "http:///voice.wav",
        "http://user:word@127.0.0.1/voice.wav",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/a\r\nX: y",
        "http://127.0.0.1\\@example.org/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "http://127.0.0.1/stimme-für-alle.wav",
        "http://127.0.0.1/100%",
    ],
)
async def test_what_is_no_plain_web_address_is_refused_without_a_connection(url: str):
    assert await refused(url) == NO_ADDRESS


@pytest.mark.parametrize("port", [22, 25, 1, 1023])
async def test_ports_of_other_services_are_refused(port: int):
    reason = await refused(f"http://127.0.0.1:{port}/")

    assert reason == "reference_audio_url has a port that is not for the web."


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "0x7f000001",
        "0.0.0.0",
        "[::1]",
        "127.0.0.1.",
        "127.0.0.2",
    ],
)
async def test_this_machine_is_never_fetched_from_by_default(served: Recordings, host: str):
    reason = await refused(f"http://{host}:{served.port}/voice.wav", FetchOptions())

    assert reason in (UNREACHABLE, NO_ADDRESS)
    assert served.requests == []


async def test_a_redirect_to_this_machine_is_not_followed(served: Recordings):
    mapped = FetchOptions(resolve={"voices.example": Endpoint("127.0.0.1", served.port)})
    target = f"http://127.0.0.1:{served.port}/voice.wav"

    reason = await refused(f"http://voices.example/to?url={target}", mapped)

    assert reason == UNREACHABLE
    assert [request.path for request in served.requests] == ["/to"]


async def test_a_mapped_host_is_fetched_from_its_endpoint(served: Recordings):
    mapped = FetchOptions(resolve={"Voices.Example": Endpoint("127.0.0.1", served.port)})

    assert await fetched("http://voices.example/voice.wav", mapped) == RECORDING
    assert await fetched("http://VOICES.EXAMPLE.:8080/voice.wav", mapped) == RECORDING
    assert served.requests[0].headers["Host"] == "voices.example"


async def test_the_mapping_opens_one_host_and_no_other(served: Recordings):
    mapped = FetchOptions(resolve={"voices.example": Endpoint("127.0.0.1", served.port)})

    assert await refused(f"http://localhost:{served.port}/voice.wav", mapped) == UNREACHABLE
    assert await refused(f"http://127.0.0.1:{served.port}/voice.wav", mapped) == UNREACHABLE
    assert served.requests == []


async def test_an_address_is_no_host_name_that_could_be_mapped(served: Recordings):
    mapped = FetchOptions(resolve={"127.0.0.1": Endpoint("127.0.0.1", 9)})

    assert await refused(f"http://127.0.0.1:{served.port}/voice.wav", mapped) == UNREACHABLE
    assert served.requests == []


async def test_a_mapped_host_over_tls_needs_the_certificate_given(tmp_path: Path):
    context, pem = certified("cdn.example", tmp_path)
    async with recordings(context) as served:
        mapped = FetchOptions(resolve={"cdn.example": Endpoint("127.0.0.1", served.port)})

        assert await refused("https://cdn.example/voice.wav", mapped) == UNREACHABLE
        assert await fetched("https://cdn.example/voice.wav", replace(mapped, ca_file=pem)) == RECORDING


async def test_a_redirect_from_https_to_http_is_not_followed(tmp_path: Path):
    context, pem = certified("cdn.example", tmp_path)
    async with recordings(context) as served:
        mapped = FetchOptions(resolve={"cdn.example": Endpoint("127.0.0.1", served.port)}, ca_file=pem)

        reason = await refused("https://cdn.example/to?url=http://cdn.example/voice.wav", mapped)

    assert reason == "reference_audio_url redirects from https to http."


async def test_what_we_send_tells_nothing_and_asks_for_plain_bytes(served: Recordings):
    fetcher = ReferenceFetcher(OPEN)

    await fetcher.fetch(f"{served.origin}/hops/0")
    await fetcher.fetch(f"{served.origin}/hops/0")
    await fetcher.aclose()

    for request in served.requests:
        assert set(request.headers) == {"Host", "Accept", "Accept-Encoding", "User-Agent"}
        assert request.headers["Accept-Encoding"] == "identity"


async def test_the_query_of_a_signed_address_arrives_unchanged(served: Recordings):
    query = "ex=6745&is=66f3&hm=0a1b2c3d&name=a%20b%2Fc&"

    await fetched(f"{served.origin}/voice.wav?{query}")

    assert served.requests[0].rel_url.raw_query_string == query
