"""`python -m bot`, as an operator types it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot import __version__
from bot.settings import child_environment

ROOT = Path(__file__).parent.parent


def _bot(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**child_environment(), "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_a_token_it_says_where_to_put_one(tmp_path: Path):
    ended = _bot(folder=tmp_path)

    assert ended.returncode == 2
    assert ended.stderr.startswith("DISCORD_TOKEN is not set.")
    assert "Traceback" not in ended.stderr


def test_a_bad_setting_is_one_sentence(tmp_path: Path):
    ended = _bot(folder=tmp_path, TTS_STEPS="900")

    assert ended.returncode == 2
    assert ended.stderr == "TTS_STEPS must be a whole number from 4 to 30, not '900'.\n"


def test_has_token_is_for_make(tmp_path: Path):
    (tmp_path / ".env").write_text("DISCORD_TOKEN=abcdefghijklmnopqrstuvwxyz\n")

    assert _bot("has-token", folder=tmp_path).returncode == 0
    assert _bot("has-token", folder=tmp_path, DISCORD_TOKEN="").returncode == 1


def test_a_bot_that_never_ran_is_not_healthy(tmp_path: Path):
    assert _bot("healthy", folder=tmp_path).returncode == 1


def test_version(tmp_path: Path):
    assert _bot("--version", folder=tmp_path).stdout == f"{__version__}\n"


def test_check_says_what_works_and_how_to_mend_what_is_missing(tmp_path: Path):
    ended = _bot("check", folder=tmp_path)

    lines = ended.stdout.splitlines()
    assert ended.returncode == 1
    assert any(line.startswith("ok") and "davey" in line for line in lines)
    assert any(line.startswith("ok") and "TTS gateway" in line and line.endswith("speaks") for line in lines)
    missing = next(number for number, line in enumerate(lines) if line.startswith("MISSING"))
    assert "DISCORD_TOKEN" in lines[missing]
    assert lines[missing + 1].strip().startswith("-> put the token")


def test_check_names_a_tts_gateway_that_does_not_answer(tmp_path: Path):
    ended = _bot("check", folder=tmp_path, TTS_BASE_URL="http://127.0.0.1:9/v1")

    assert "MISSING the TTS gateway at http://127.0.0.1:9/v1 does not answer" in ended.stdout


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.slow
def test_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals):
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.signalled_bot", str(tmp_path)],
        cwd=ROOT,
        env=child_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "READY\n"
            started = time.monotonic()
            process.send_signal(number)
            said = process.stdout.read()
            status = process.wait(timeout=60)
        finally:
            process.kill()

    assert status == 0
    assert time.monotonic() - started < 10
    assert said == "answer: I am restarting. Try again in a minute.\nvoice: None\n"
