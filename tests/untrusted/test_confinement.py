"""What a recording gets that has taken over the decoder, and who reads the secrets of our processes."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.check import Finding, findings
from bot.settings import Settings, child_environment
from untrusted.decoder import open_ways

ROOT = Path(__file__).parents[2]
BOT = ROOT / "tests" / "fakes" / "besieged_bot.py"
SECRET = "canary-canary-canary"
NOT_ROOT = 65_533
PR_GET_DUMPABLE = 3

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="walls of Linux"
)
whoever = pytest.mark.parametrize(
    "user",
    [
        0,
        pytest.param(
            NOT_ROOT, marks=pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="not root")
        ),
    ],
)


@dataclass(frozen=True)
class Siege:
    """What the attacks got, by their names; whether a program was run; how many signals reached the bot."""

    got: dict[str, str | None]
    has_run_a_program: bool
    signals: int

    @property
    def successes(self) -> set[str]:
        return {name for name, what in self.got.items() if what is not None}


def _besiege(bot: str, child: str, user: int) -> Siege:
    ended = subprocess.run(
        [sys.executable, str(BOT), bot, child, str(user)],
        env={**child_environment(), "DISCORD_TOKEN": SECRET},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    said = json.loads(ended.stdout)
    return Siege(said["got"], said["rest"] != "", said["signals"])


@pytest.mark.slow
@whoever
def test_a_recording_that_takes_over_the_decoder_gets_nothing(user: int) -> None:
    siege = _besiege("closed", "walls", user)

    assert len(siege.got) > 25
    assert siege == Siege(dict.fromkeys(siege.got), has_run_a_program=False, signals=0)


@whoever
def test_the_same_attacks_succeed_where_there_are_no_walls(user: int) -> None:
    siege = _besiege("open", "bare", user)

    expected = {"read a file", "connect by TCP", "fork", "signal the bot", "make a pipe", "hold the bot"}
    assert siege.successes >= expected
    assert siege.has_run_a_program
    assert siege.signals > 0
    assert SECRET in (siege.got["read the bot's environment"] or "")
    assert siege.got["read the bot's memory"] == SECRET


@pytest.mark.slow
@whoever
def test_without_a_filter_of_calls_the_other_walls_still_hide_secrets_files_and_the_net(user: int) -> None:
    siege = _besiege("closed", "old-kernel", user)

    assert not siege.successes & {
        *("read the bot's environment", "read the bot's memory map", "read the bot's memory"),
        *("read the bot's memory by a call", "trace the bot", "read a file", "write a file", "list a folder"),
        *("open after closing stdin", "connect by TCP", "send by UDP", "connect to a local socket"),
        *("fork", "clone", "become root", "raise its own limits"),
    }
    assert user or os.geteuid() != 0 or siege.signals == 0  # of root's bot it is not even the same user


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs another user")
def test_a_process_of_the_same_user_reads_neither_memory_nor_environment_of_the_bot() -> None:
    siege = _besiege("closed", "bare", NOT_ROOT)

    assert "read a file" in siege.successes
    assert not {name for name in siege.successes if name.startswith(("read the bot", "trace"))}


@pytest.mark.slow
def test_the_running_bot_shows_no_secret_in_its_environment(tmp_path: Path) -> None:
    variables = {
        "DISCORD_TOKEN": SECRET,
        "DATABASE_URL": f"sqlite:///{tmp_path}/{SECRET}.db",
        "OTHER": "stays",
        "PYTHONUNBUFFERED": "1",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "check"],
        cwd=tmp_path,
        env={**child_environment(), "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        text=True,
    ) as bot:
        assert bot.stdout is not None
        first_line = bot.stdout.readline()  # by now the settings are read
        try:
            environment = Path(f"/proc/{bot.pid}/environ").read_bytes()
        except PermissionError:  # it is closed to everybody but root
            environment = b"OTHER=stays"
        finally:
            bot.kill()

    assert first_line.startswith("ok      Python")
    assert b"OTHER=stays" in environment
    assert SECRET.encode() not in environment


@pytest.mark.slow
@pytest.mark.parametrize(
    "start",
    [
        "from bot.__main__ import main; main(['healthy'])",
        "from tts_gateway.__main__ import main; main(['--until-stdin-closes'])",
    ],
)
def test_each_process_that_holds_secrets_closes_its_memory(start: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", f"{start}; import ctypes; print(ctypes.CDLL(None).prctl({PR_GET_DUMPABLE}))"],
        cwd=tmp_path,
        env={**child_environment(), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )

    assert ended.stdout.splitlines()[-1] == "0"


async def test_the_decoder_itself_says_that_no_way_is_open() -> None:
    assert await open_ways() == []


async def test_the_check_up_says_that_the_decoder_is_walled_in(tmp_path: Path) -> None:
    async for finding in findings(Settings(data_dir=tmp_path)):
        if finding.what.startswith("the decoder"):
            break

    assert finding == Finding(True, "the decoder of recordings: it can open no file and reach nothing else")
