"""`python -m rehearsal`, as a newcomer sees it."""

from __future__ import annotations

import os
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from bot.settings import child_environment

ROOT = Path(__file__).parent.parent.parent


def _rehearsal(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rehearsal", *arguments],
        cwd=folder,
        env={**child_environment(), "PYTHONPATH": str(ROOT), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_the_tour_goes_through_every_command_and_leaves_the_sounds(tmp_path: Path):
    ended = _rehearsal(tmp_path)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "FAILED" not in ended.stdout
    assert "<#" not in ended.stdout  # names, as a person sees them
    assert "Traceback" not in ended.stderr
    sounds = sorted((tmp_path / "rehearsal-output").glob("*.wav"))
    assert len(sounds) == 11
    for sound in sounds:
        with wave.open(str(sound)) as file:
            assert file.getnframes() > 24_000


def test_a_step_that_fails_is_named_and_the_status_says_so(tmp_path: Path):
    ended = _rehearsal(tmp_path, TTS_BASE_URL="http://127.0.0.1:9/voxcpm/v1")

    assert ended.returncode == 1
    assert "FAILED: The voice service cannot be reached right now." in ended.stdout
    assert "steps failed." in ended.stdout


def test_a_bad_setting_ends_it_with_one_sentence(tmp_path: Path):
    ended = _rehearsal(tmp_path, LOG_FORMAT="xml")

    assert ended.returncode == 2
    assert ended.stderr == "LOG_FORMAT must be one of text, json, not 'xml'.\n"


@pytest.mark.skipif(os.name != "posix", reason="a terminal as POSIX has it")
def test_at_a_terminal_a_person_types_commands(tmp_path: Path):
    import pty

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rehearsal", "--no-browser", "--port", "0"],
        cwd=tmp_path,
        env={**child_environment(), "PYTHONPATH": str(ROOT)},
        stdin=follower,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            os.close(follower)
            os.write(leader, b"/speak Good morning to: both\n/fly\n/queue\nquit\n")
            said, _ = process.communicate(timeout=110)
        finally:
            process.kill()
            os.close(leader)

    after_the_tour = said.partition("The sounds are in")[2]
    assert process.returncode == 0
    assert "AI-generated voice" in after_the_tour
    assert "heard:" in after_the_tour
    assert "There is no command /fly." in after_the_tour
    assert "Nothing is waiting." in after_the_tour
