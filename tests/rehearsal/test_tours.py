"""The tours: a server's first hour, and two members and a moderator with all that concerns saved voices."""

from __future__ import annotations

import asyncio
import faulthandler
import re
import time
from pathlib import Path

import pytest

from bot.interaction import invitation
from bot.playback.scheduler import FrameScheduler
from bot.playback.voice_client import SpeechVoiceClient
from bot.settings import Settings
from rehearsal.__main__ import RunOptions, opened_stage
from rehearsal.reading_tour import ReadingTour, _StandStills
from rehearsal.tours import FirstHour, VoicesTour
from tests.rehearsal.test_rehearsal_command import run_rehearsal
from tests.scenes import until

_TALKING_SECONDS = 420.0
"""Two minutes of talk, and as much again to look at what was heard, on a busy machine."""


@pytest.mark.slow
async def test_a_server_goes_from_the_invitation_to_a_saved_voice_by_what_the_bot_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    plan = RunOptions(output=tmp_path / "sounds", room=False, prompt=False)
    async with opened_stage(Settings(data_dir=tmp_path), plan) as stage:
        tour = FirstHour(stage)

        went_well = await tour.run()

    said = capsys.readouterr().out
    assert went_well, said
    assert re.findall(r"^\d+\.", said, re.MULTILINE)[-1] == f"{len(tour.steps)}."
    assert not re.search(r"<[@#t]", said)  # names and times, as a person sees them
    assert invitation(stage.rehearsal.application_id) in said
    assert stage.rehearsal.router.unknown_requests == []


@pytest.mark.slow
async def test_two_members_and_a_moderator_go_through_all_that_is_done_with_voices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    plan = RunOptions(output=tmp_path / "sounds", room=False, prompt=False)
    async with opened_stage(Settings(data_dir=tmp_path), plan) as stage:
        tour = VoicesTour(stage)

        went_well = await tour.run()

    said = capsys.readouterr().out
    assert went_well, said
    assert "FAILED" not in said
    assert re.findall(r"^\d+\.", said, re.MULTILINE)[-1] == f"{len(tour.steps)}."
    assert not re.search(r"<[@#t]", said)  # names and times, as a person sees them
    assert stage.rehearsal.router.unknown_requests == []
    names = " ".join(path.name for path in plan.output.iterdir())
    assert all(name in names for name in ("voice-message.ogg", "soundboard.mp3", "wizard.wav", "myna.json"))


@pytest.mark.slow
async def test_three_members_talk_by_text_for_two_minutes_and_are_heard_in_order_without_gaps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    faulthandler.cancel_dump_traceback_later()  # they talk for longer than a test may take otherwise
    plan = RunOptions(output=tmp_path / "sounds", room=False, prompt=False)
    async with opened_stage(Settings(data_dir=tmp_path), plan) as stage, asyncio.timeout(_TALKING_SECONDS):
        tour = ReadingTour(stage)

        went_well = await tour.run()

    said = capsys.readouterr().out
    assert went_well, said
    assert not re.search(r"<[@#t]", said)
    assert stage.rehearsal.router.unknown_requests == []
    assert any("conversation.wav" in path.name for path in plan.output.iterdir())


@pytest.mark.slow
def test_the_command_line_walks_it_and_says_with_its_status_what_failed(tmp_path: Path):
    address = "http://127.0.0.1:9/voxcpm/v1"
    ended = run_rehearsal(tmp_path, "--tour", "voices", TTS_BASE_URL=address)

    assert ended.returncode == 1
    assert "FAILED: I can't reach the voice service right now." in ended.stdout
    assert "answered after" in ended.stdout  # what needs no speech goes on
    assert "@Bob agreed to **Bobby**." in ended.stdout
    assert "Traceback" not in ended.stderr
    assert re.search(r"\d+ of 14 steps failed\.", ended.stdout)


async def test_a_silence_in_which_the_machine_held_playing_up_is_told_apart(monkeypatch: pytest.MonkeyPatch):
    scheduler = FrameScheduler()
    monkeypatch.setattr(SpeechVoiceClient, "scheduler", scheduler)
    stand_stills = _StandStills()
    watching = asyncio.create_task(stand_stills.watch())
    begin = time.monotonic()
    await until(lambda: bool(stand_stills._noted))
    scheduler._skip(0.85)
    held_at = len(stand_stills._noted)
    await until(lambda: len(stand_stills._noted) > held_at + 3)
    watching.cancel()

    *_, before, end = (at for at, _ in stand_stills._noted)
    assert stand_stills.between(begin, end) == 0.85
    assert stand_stills.between(before, end) == 0
