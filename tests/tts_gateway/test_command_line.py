"""`python -m tts_gateway` as a child process: how it begins, answers and ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.certificates import certified
from tests.fakes.recording_server import recordings
from tests.fakes.tts_gateway_caller import Caller
from tts_gateway.__main__ import main

DEADLINE = 60.0  # s: a start imports half a dozen libraries, on a machine that may be busy
READY = "TTS gateway: http://127.0.0.1:"
FAULTY = "rehearsal.faulty_tts_gateway"
Start = Callable[..., Awaitable["Child"]]


class Child:
    """One process, with what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            return (await self.process.stdout.readline()).decode()

    async def ready(self) -> str:
        """The base address, once it answers."""
        line = await self.line()
        assert line.startswith(READY), line
        return line.removeprefix("TTS gateway: ").rstrip("\n")

    async def ended(self) -> tuple[int, str, str]:
        """Exit status, the rest of stdout, and stderr."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        async with asyncio.timeout(DEADLINE):
            out, err = await asyncio.gather(self.process.stdout.read(), self.process.stderr.read())
            return await self.process.wait(), out.decode(), err.decode()

    def close_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def start_child(*arguments: str | Path, module: str = "tts_gateway") -> Child:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *map(str, arguments)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            stack.push_async_callback(_end, process)
            return Child(process)

        yield start_child


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_it_says_one_line_answers_and_ends_when_stdin_closes(
    start: Start, session: aiohttp.ClientSession
):
    child = await start("--until-stdin-closes")
    base_url = await child.ready()
    caller = Caller(session, base_url)

    answer = await caller.speak("Hello there, this is a test.")
    sound = await caller.get(answer.json["output"])
    child.close_stdin()

    status, out, err = await child.ended()
    assert base_url.endswith("/voxcpm/v1")
    assert (answer.status, sound.body[:4]) == (200, b"RIFF")
    assert (status, out) == (0, "")
    assert "POST /voxcpm/v1/text-to-speech: 200" in err
    assert "Traceback" not in err
    assert "Hello there" not in err
    assert answer.json["output"].rpartition("/")[2] not in err


async def test_the_server_ends_at_once_when_stdin_was_never_open(start: Start):
    child = await start("--until-stdin-closes")
    child.close_stdin()

    status, _out, err = await child.ended()

    assert (status, "Traceback" in err) == (0, False)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without asking them")
async def test_without_the_option_it_survives_the_end_of_stdin_and_ends_on_sigint(
    start: Start, session: aiohttp.ClientSession
):
    child = await start()
    caller = Caller(session, await child.ready())

    child.close_stdin()
    answers = [await caller.get("/health") for _ in range(5)]
    child.process.send_signal(signal.SIGINT)

    assert [answer.status for answer in answers] == [200] * 5
    status, out, err = await child.ended()
    assert (status, out) == (0, "")
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without asking them")
async def test_it_ends_cleanly_on_sigterm_while_stdin_is_open_and_work_is_under_way(
    start: Start, session: aiohttp.ClientSession
):
    child = await start("--until-stdin-closes", module=FAULTY)
    caller = Caller(session, await child.ready())
    stuck = {"every_post": "slow", "every_download": None}
    await caller.request("PUT", f"{caller.origin}/faults", json=stuck)
    call = asyncio.create_task(caller.speak())
    await caller.get("/health")

    child.process.send_signal(signal.SIGTERM)

    status, out, err = await child.ended()
    await asyncio.gather(call, return_exceptions=True)
    assert (status, out) == (0, "")
    assert "Traceback" not in err


async def test_a_port_of_ones_own_can_be_named_and_a_taken_one_is_one_sentence(start: Start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        refused = await (await start("--port", str(port))).ended()
    child = await start("--port", str(port), "--until-stdin-closes")

    assert await child.ready() == f"http://127.0.0.1:{port}/voxcpm/v1"
    assert (refused[0], refused[1]) == (1, "")
    assert refused[2].startswith(f"The TTS gateway cannot serve on 127.0.0.1:{port}: ")
    assert "Traceback" not in refused[2]


async def test_the_key_in_the_file_is_needed(start: Start, session: aiohttp.ClientSession, tmp_path: Path):
    file = tmp_path / "key"
    file.write_text("a-key-of-sixteen\n")
    child = await start("--api-key-file", file, "--until-stdin-closes")
    caller = Caller(session, await child.ready())

    without = await caller.speak("a")
    with_key = await caller.post(
        "/text-to-speech", {"text": "Hello"}, headers={"Ocp-Apim-Subscription-Key": "a-key-of-sixteen"}
    )
    child.close_stdin()

    assert (without.status, with_key.status) == (401, 200)
    assert "a-key-of-sixteen" not in (await child.ended())[2]


async def test_recordings_of_a_mapped_host_are_fetched_from_its_endpoint(
    start: Start, session: aiohttp.ClientSession, tmp_path: Path
):
    context, pem = certified("cdn.example", tmp_path)
    async with recordings(context) as served:
        mapping = f"cdn.example=127.0.0.1:{served.port}"
        child = await start("--resolve", mapping, "--ca-file", pem, "--until-stdin-closes")
        caller = Caller(session, await child.ready())

        missing = await caller.clone("https://cdn.example/code/404")
        inside = await caller.clone(f"https://127.0.0.1:{served.port}/voice.wav")

    assert missing.message == "reference_audio_url answers with status 404."
    assert inside.message == "reference_audio_url cannot be reached."


async def test_the_faulty_one_has_the_same_command_line_and_takes_faults(
    start: Start, session: aiohttp.ClientSession
):
    child = await start("--until-stdin-closes", module=FAULTY)
    caller = Caller(session, await child.ready())

    busy = {"every_post": "busy", "every_download": None}
    put = await caller.request("PUT", f"{caller.origin}/faults", json=busy)

    assert put.status == 204
    assert (await caller.speak("a")).status == 429


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "65536"], "a port is a number from 0 to 65535"),
        (["--port", "http"], "a port is a number from 0 to 65535"),
        (["--keep-seconds", "0"], "it must be a number of seconds above 0"),
        (["--keep-seconds", "nan"], "it must be a number of seconds above 0"),
        (["--resolve", "cdn.example"], "it must look like HOST=IP:PORT"),
        (["--resolve", "cdn.example=localhost:1"], "it must look like HOST=IP:PORT"),
        (["--resolve", "cdn.example=127.0.0.1:65536"], "a port is a number from 0 to 65535"),
        (["--api-key-file", "/nonexistent"], "/nonexistent cannot be read: "),
        (["--ca-file", "/nonexistent"], "/nonexistent holds no certificates: "),
        (["--frequency", "1"], "unrecognized arguments: --frequency 1"),
        (["--allow-faults"], "unrecognized arguments: --allow-faults"),
    ],
)
def test_wrong_arguments_are_one_sentence_and_exit_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)

    assert exit_.value.code == 2
    assert reason in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.com", "127.0.0.1.example.com", ""])
def test_where_others_can_reach_it_it_wants_a_key_or_to_be_told(
    capsys: pytest.CaptureFixture[str], host: str
):
    with pytest.raises(SystemExit) as exit_:
        main(["--host", host])

    assert exit_.value.code == 2
    assert "give it one with --api-key-file, or allow that with --open" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [
    ("--host", "127.0.0.2"), ("--host", "localhost"), ("--host", "0.0.0.0", "--open"),
])  # fmt: skip
async def test_on_this_machine_alone_or_with_leave_it_serves_without_a_key(
    start: Start, arguments: tuple[str, ...]
):
    child = await start(*arguments)

    assert (await child.line()).startswith("TTS gateway: http://")


async def test_with_a_key_it_serves_everywhere(start: Start, tmp_path: Path):
    key = tmp_path / "key"
    await asyncio.to_thread(key.write_text, "a-key-of-ours")

    child = await start("--host", "0.0.0.0", "--api-key-file", str(key))

    assert (await child.line()).startswith("TTS gateway: http://")


@pytest.mark.parametrize("text", ["", "two words", "schlüssel"])
def test_a_key_that_no_header_carries_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str
):
    file = tmp_path / "key"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(SystemExit):
        main(["--api-key-file", str(file)])

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("must hold one key: printable characters without spaces")
