from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from urllib.parse import quote

import pytest
from multidict import CIMultiDict

from bot import logs
from bot.logs import RedactingFormatter

CANARY = "cAnArY-0123456789/+=;)&x'y\"z\\w-tail"
BOT_TOKEN = "MTE4NDY0OTk3Mzc2OTkyMjU2MA.GkX9aB.fakefakefakefakefakefakefakefakefake12"
ROOT = Path(__file__).parent.parent
LOGGERS = (None, *logs.OUR_PACKAGES)


def line(message: str, *args: object, log_format: str = "text") -> str:
    record = logging.LogRecord("bot.part", logging.INFO, __file__, 1, message, args, None)
    return RedactingFormatter(log_format, [CANARY]).format(record)


@pytest.fixture
def stream() -> Iterator[StringIO]:
    """What is logged after `logs.set_up`; everything is put back as it was."""
    root = logging.getLogger()
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in LOGGERS}
    hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    yield StringIO()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    "dress",
    [
        CANARY,
        CANARY[:12],
        CANARY[:-3],
        repr(CANARY),
        json.dumps(CANARY),
        quote(CANARY, safe=""),
        b64encode(CANARY.encode()).decode(),
        b64encode(CANARY[:20].encode()).decode(),
        f"Secret in {{'a': {CANARY!r}, 'b': b'{CANARY}'}}",
    ],
)
def test_a_secret_is_hidden_in_every_dress(dress: str, log_format: str) -> None:
    shown = line("before %s after", dress, log_format=log_format)

    assert "before " in shown
    assert "***" in shown
    assert CANARY[:6] not in shown
    assert "tail" not in shown
    assert b64encode(CANARY[:9].encode()).decode() not in shown


KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (f"token {BOT_TOKEN} end", "token *** end"),
        ("POST /webhooks/123/aW50ZXJhY3Rpb246-_x/messages", "POST /webhooks/123/***/messages"),
        ("POST /interactions/123/aW50ZXJhY3Rpb246-_x/callback", "POST /interactions/123/***/callback"),
        ("https://cdn.example/a.wav?ex=1&is=2&hm=0a1b2c&", "https://cdn.example/a.wav?ex=1&is=2&hm=***&"),
        (f"Ocp-Apim-Subscription-Key: {KEY}", "Ocp-Apim-Subscription-Key: ***"),
        (f"{{'ocp-apim-subscription-key': '{KEY}'}}", "{'ocp-apim-subscription-key': '***'}"),
        (f"(b'Ocp-Apim-Subscription-Key', b'{KEY}')", "(b'Ocp-Apim-Subscription-Key', b'***')"),
        (f"/text-to-speech?subscription-key={KEY}&x=1", "/text-to-speech?subscription-key=***&x=1"),
        (f"Authorization: Bot {KEY}", "Authorization: Bot ***"),
        ("{'token': 'voicetoken', 'session_id': 'x'}", "{'token': '***', 'session_id': 'x'}"),
        ('{"access_token": "abc"}', '{"access_token": "***"}'),
        ("nothing to hide at 12:30", "nothing to hide at 12:30"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_without_being_known(written: str, shown: str) -> None:
    assert line("%s", written).endswith(f" bot.part: {shown}")


def test_the_headers_of_aiohttp_are_hidden() -> None:
    headers = CIMultiDict({"Ocp-Apim-Subscription-Key": KEY, "Accept": "x"})

    assert KEY not in line("%r", headers)
    assert "Accept" in line("%r", headers)


FORGERIES = ["a\nb", "a\r\nb", "a\x1b[2Jb", "a\x00b", "a\u2028b", "a\x85b", "a\u202eb", "a\ud800b", "a\x0bb"]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_message_cannot_forge_a_second_record(forgery: str) -> None:
    text = line("%s", forgery)
    as_json = line("%s", forgery, log_format="json")

    assert len(text.splitlines()) == 1
    assert text.isprintable()
    assert len(as_json.splitlines()) == 1
    assert json.loads(as_json)["message"] == forgery


def test_a_record_says_when_how_bad_where_and_what() -> None:
    as_text = line("hello %d", 5)
    as_json = json.loads(line("hello %d", 5, log_format="json"))

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO     bot\.part: hello 5", as_text)
    assert as_json | {"time": ""} == {"time": "", "level": "INFO", "logger": "bot.part", "message": "hello 5"}


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_traceback_is_redacted_and_cannot_be_taken_for_a_record(stream: StringIO, log_format: str) -> None:
    logs.set_up("debug", log_format, secrets=[CANARY], stream=stream)

    try:
        raise ValueError(f"{CANARY}\n2026-01-01T00:00:00.000Z INFO     bot: forged")
    except ValueError:
        logging.getLogger("bot.part").exception("it failed")

    first, *rest = stream.getvalue().splitlines()
    assert "it failed" in first
    assert CANARY[:6] not in stream.getvalue()
    if log_format == "json":
        assert "forged" in json.loads(first)["traceback"]
        assert not rest
    else:
        assert any("forged" in part for part in rest)
        assert all(part.startswith("    | ") for part in rest)


@pytest.mark.parametrize(
    "name", ["http", "gateway", "webhook.async_", "voice_state", "client", "state", "ext.commands"]
)
def test_discord_py_never_logs_below_warning(stream: StringIO, name: str) -> None:
    logs.set_up("debug", secrets=[CANARY], stream=stream)
    library = logging.getLogger(f"discord.{name}")

    library.debug("interaction token and what a member said")
    library.info("connected (Session ID: 0123)")
    library.warning("rate limited")

    assert len(stream.getvalue().splitlines()) == 1
    assert "rate limited" in stream.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "aiosqlite",
        "sqlalchemy.engine.Engine",
        "asyncpg",
        "alembic",
        "aiohttp.client",
        "asyncio",
        "a.new.library",
    ],
)
def test_no_library_logs_below_warning_whether_it_is_known_or_not(stream: StringIO, name: str) -> None:
    logs.set_up("debug", stream=stream)
    library = logging.getLogger(name)

    library.debug("what a member said")
    library.info("what a member said")
    library.warning("it is slow")

    assert len(stream.getvalue().splitlines()) == 1
    assert "it is slow" in stream.getvalue()


def test_all_of_our_own_packages_log_at_the_level_that_is_set(stream: StringIO) -> None:
    logs.set_up("debug", stream=stream)
    packages = [path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"]
    assert "bot" in packages

    for name in packages:
        logging.getLogger(f"{name}.part").debug("hello")

    assert len(stream.getvalue().splitlines()) == len(packages)


def test_a_higher_level_counts_for_discord_py_as_well(stream: StringIO) -> None:
    logs.set_up("error", stream=stream)

    logging.getLogger("discord.http").warning("slow down")
    logging.getLogger("bot").warning("slow down")
    logging.getLogger("bot").error("broken")

    assert [entry.endswith("bot: broken") for entry in stream.getvalue().splitlines()] == [True]


def test_the_canary_stays_hidden_in_ten_thousand_lines(stream: StringIO) -> None:
    logs.set_up("debug", secrets=[CANARY], stream=stream)
    part = logging.getLogger("bot.part")

    for number in range(10_000):
        part.debug("%d %s /webhooks/1/%s", number, CANARY, "interaction-canary")

    assert len(stream.getvalue().splitlines()) == 10_000
    assert "canary" not in stream.getvalue().lower()


def test_a_wrong_log_call_does_not_print_its_arguments(
    stream: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up("debug", secrets=[CANARY], stream=stream)

    logging.getLogger("bot.part").info("%d %d", CANARY)

    assert "is wrong" in stream.getvalue()
    assert "test_logs.py" in stream.getvalue()
    assert CANARY not in stream.getvalue() + "".join(capsys.readouterr())


async def test_what_nobody_awaited_in_the_loop_is_redacted(stream: StringIO) -> None:
    logs.set_up("debug", secrets=[CANARY], stream=stream)
    loop = asyncio.get_running_loop()
    logs.watch_loop(loop)
    called = asyncio.Event()

    def fail() -> None:
        called.set()
        raise RuntimeError(CANARY)

    loop.call_soon(fail)
    await called.wait()
    task = asyncio.create_task(asyncio.sleep(0), name="a-task")
    loop.call_exception_handler({"message": f"lost {CANARY}", "task": task, "exception": OSError(CANARY)})
    await task

    shown = stream.getvalue()
    assert "RuntimeError: ***" in shown
    assert "lost ***" in shown
    assert "a-task" in shown
    assert CANARY not in shown


HOOKS = {
    "the main thread": "raise RuntimeError(C)",
    "another thread": "t = threading.Thread(target=lambda: 1 / 0 if not C else int(C)); t.start(); t.join()",
    "a destructor": "type('T', (), {'__del__': lambda self: int(C)})()",
    "a warning": "warnings.warn(C)",
    "the loop": "asyncio.run(main())",
}


@pytest.mark.parametrize("place", HOOKS)
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_unhandled_error_goes_around_the_redaction(place: str, log_format: str) -> None:
    program = f"""
import asyncio, sys, threading, warnings
from bot import logs
C = sys.stdin.read()
logs.set_up("debug", {log_format!r}, secrets=[C])
async def fail():
    int(C)
async def main():
    logs.watch_loop(asyncio.get_running_loop())
    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    import gc; gc.collect()
{HOOKS[place]}
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "default", "-c", program],
        input=CANARY, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False,
    )  # fmt: skip

    shown = done.stdout + done.stderr
    assert "***" in shown
    assert CANARY[:12] not in shown
    assert re.search(r"(Runtime|Value)Error|Warning", shown)
    if log_format == "json":
        assert all(json.loads(entry) for entry in shown.splitlines())
