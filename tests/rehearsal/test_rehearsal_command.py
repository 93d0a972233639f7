"""`python -m rehearsal`, as a newcomer sees it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from bot.settings import child_environment
from tests.fakes.tone_engine import ToneEngine
from tts_gateway.server import ServerOptions, create_app, serving

ROOT = Path(__file__).parent.parent.parent


def run_rehearsal(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it in ``folder``, where its sounds go, and return what it said and its status."""
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


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a terminal as POSIX has it")
def test_at_a_terminal_the_tour_goes_through_every_command_and_then_a_person_types(tmp_path: Path):
    import pty

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rehearsal", "--no-browser", "--port", "0"],
        cwd=tmp_path,
        env={**child_environment(), "PYTHONPATH": str(ROOT)},
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            os.close(follower)
            os.write(leader, b"/speak Good morning to: both\n/fly\n/queue\nquit\n")
            said, complained = process.communicate(timeout=110)
        finally:
            process.kill()
            os.close(leader)

    tour, _, after_the_tour = said.partition("The sounds are in")
    assert process.returncode == 0, said + complained
    assert "FAILED" not in tour
    assert "<#" not in said  # names, as a person sees them
    assert "Traceback" not in complained
    assert "AI voice" in after_the_tour
    assert "heard:" in after_the_tour
    assert "There is no command /fly." in after_the_tour
    assert "The queue is empty." in after_the_tour
    sounds = sorted((tmp_path / "rehearsal-output").glob("*.wav"))
    assert len(sounds) >= 11
    for sound in sounds:
        with wave.open(str(sound)) as file:
            assert file.getnframes() > 24_000


@pytest.mark.slow
async def test_without_a_terminal_there_is_the_tour_and_a_step_that_fails_is_named(tmp_path: Path):
    refusing = create_app(ToneEngine(), options=ServerOptions(api_key="a key that nobody here has"))
    async with serving(refusing) as tts_base_url:
        ended = await asyncio.to_thread(run_rehearsal, tmp_path, TTS_BASE_URL=tts_base_url)

    assert ended.returncode == 1, ended.stderr
    assert "rehearsal room" not in ended.stdout
    failed = ended.stdout.count("FAILED: ")
    assert failed > 1
    assert f"\n{failed} of " in ended.stdout  # steps failed; to join and to leave needs no voice


@pytest.mark.slow
def test_a_bad_setting_ends_it_with_one_sentence(tmp_path: Path):
    ended = run_rehearsal(tmp_path, LOG_FORMAT="xml")

    assert ended.returncode == 2
    assert ended.stderr == "LOG_FORMAT must be one of text, json, not 'xml'.\n"


@pytest.mark.slow
@pytest.mark.parametrize("port", ["99999", "-1", "eight"])
def test_a_port_that_cannot_be_is_refused_in_a_sentence(tmp_path: Path, port: str):
    ended = run_rehearsal(tmp_path, "--room-only", f"--port={port}")

    assert ended.returncode == 2
    assert ended.stderr.endswith(f"argument --port: a port is a number from 0 to 65535, not '{port}'\n")


@pytest.mark.slow
def test_a_port_that_somebody_has_is_named_with_what_to_type_instead(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_rehearsal(tmp_path, "--room-only", "--port", str(port))

    assert ended.returncode == 2
    assert ended.stderr == f"Port {port} is taken. Leave --port out, and I'll take a free one.\n"
