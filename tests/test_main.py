"""`python -m bot`, as an operator types it."""

from __future__ import annotations

import os
import shutil
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


@pytest.mark.slow
def test_without_a_token_it_says_where_to_put_one(tmp_path: Path):
    ended = _bot(folder=tmp_path)

    assert ended.returncode == 2
    assert ended.stderr.startswith("DISCORD_TOKEN is not set.")
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_bad_setting_is_one_sentence(tmp_path: Path):
    ended = _bot(folder=tmp_path, TTS_STEPS="900")

    assert ended.returncode == 2
    assert ended.stderr == "TTS_STEPS must be a whole number from 4 to 30, not '900'.\n"


@pytest.mark.slow
def test_has_token_is_for_make(tmp_path: Path):
    (tmp_path / ".env").write_text("DISCORD_TOKEN=abcdefghijklmnopqrstuvwxyz\n")

    assert _bot("has-token", folder=tmp_path).returncode == 0
    assert _bot("has-token", folder=tmp_path, DISCORD_TOKEN="").returncode == 1


@pytest.mark.slow
def test_a_bot_that_never_ran_is_not_healthy(tmp_path: Path):
    assert _bot("healthy", folder=tmp_path).returncode == 1


@pytest.mark.slow
def test_version(tmp_path: Path):
    assert _bot("--version", folder=tmp_path).stdout == f"{__version__}\n"


@pytest.mark.slow
def test_check_says_what_works_and_how_to_mend_what_is_missing(tmp_path: Path):
    ended = _bot("check", folder=tmp_path)

    lines = ended.stdout.splitlines()
    assert ended.returncode == 1
    assert any(line.startswith("ok") and "davey" in line for line in lines)
    assert any(line.startswith("ok") and "TTS gateway" in line and ": speaks (" in line for line in lines)
    missing = next(number for number, line in enumerate(lines) if line.startswith("MISSING"))
    assert "DISCORD_TOKEN" in lines[missing]
    assert lines[missing + 1].strip().startswith("-> put the token")


@pytest.mark.slow
def test_check_names_a_tts_gateway_that_does_not_answer(tmp_path: Path):
    ended = _bot("check", folder=tmp_path, TTS_BASE_URL="http://127.0.0.1:9/v1")

    assert "MISSING the TTS gateway at http://127.0.0.1:9/v1 does not answer" in ended.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what `python -m` begins with, in a folder where nothing is installed."""
    for package in ("bot", "rehearsal", "tts_gateway", "untrusted"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run_bare(checkout: Path, *code: str) -> subprocess.CompletedProcess[str]:
    """Run a Python that has no packages."""
    return subprocess.run(
        [sys.executable, "-S", "-B", *code],
        cwd=checkout,
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("what", [["bot", "check"], ["bot"], ["rehearsal", "--room-only"]])
def test_without_the_packages_it_says_what_to_type(checkout: Path, what: list[str]):
    before = run_bare(checkout, "-m", *what)
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    after = run_bare(checkout, "-m", *what)

    assert before.returncode == after.returncode == 1
    assert before.stderr.endswith("Type: make run\n")
    assert after.stderr.endswith(f"They are in .venv. Type: .venv/bin/python -m {' '.join(what)}\n")
    for ended in (before, after):
        assert ended.stderr.count("\n") == 1


def test_the_tts_gateway_without_its_packages_says_what_to_type(checkout: Path):
    ended = run_bare(checkout, "-m", "tts_gateway")

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "Type make run" in ended.stderr


def test_a_module_of_ours_that_is_missing_is_a_fault_and_no_advice(checkout: Path):
    (checkout / "bot" / "logs.py").unlink()

    ended = run_bare(checkout, "-m", "bot")

    assert "Traceback" in ended.stderr or "cannot import name" in ended.stderr
    assert "make run" not in ended.stderr


@pytest.mark.parametrize("what", ["bot", "rehearsal", "tts_gateway"])
@pytest.mark.parametrize("version", [(3, 7), (3, 9), (3, 10)])
def test_an_older_python_is_named_in_a_sentence(checkout: Path, what: str, version: tuple[int, int]):
    code = (
        f"import sys, runpy; sys.version_info = {(*version, 1, 'final', 0)}; sys.argv = ['{what}']; "
        f"sys.path.insert(0, '.'); runpy.run_module('{what}', run_name='__main__')"
    )

    ended = run_bare(checkout, "-c", code)

    assert ended.returncode == 1
    assert f"needs Python 3.11 or newer; this is {version[0]}.{version[1]}." in ended.stderr
    assert ended.stderr.count("\n") == 1


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
    assert said == "answer: I'm restarting. Try again in a minute.\nvoice: None\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("2", "Several processes need PostgreSQL, because a file of SQLite is for one."),
        ("0", "'0' is not a number from 1 to 64"),
    ],
)
def test_several_processes_need_a_number_and_postgresql(tmp_path: Path, number: str, said: str):
    ended = _bot("--processes", number, folder=tmp_path, DISCORD_TOKEN="abcdefghijklmnopqrstuvwxyz")

    assert ended.returncode == 2
    assert said in ended.stderr
    assert not (tmp_path / "data").exists()
