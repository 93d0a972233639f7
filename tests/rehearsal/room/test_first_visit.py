"""A newcomer's first minute, with the real bot and a real browser."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from rehearsal.likeness import likeness
from rehearsal.recordings import RECORDINGS
from rehearsal.stage import pcm_of_wav
from tests.rehearsal.room.conftest import OpenRoom
from tests.rehearsal.room.sound import HEAD_BYTES, delays, sound_frames, start_tap, tapped, until_silent

A_MINUTE = 60.0

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_typed_sentence_is_heard_and_a_cloned_voice_after_it_within_a_minute(room: OpenRoom, visit):
    opened = time.monotonic()
    page = await visit(room)

    await page.get_by_role("button", name="Join Perch").click()
    await expect(page.get_by_role("button", name="Listening")).to_be_visible()
    await page.get_by_role("button", name="Try /speak").click()
    await page.keyboard.press("Enter")
    await until_silent(page)
    await page.get_by_role("button", name="Try /clone").click()
    await expect(page.get_by_text("harbour-master.ogg, 29 kB")).to_be_visible()
    await page.keyboard.press("Enter")
    question = page.get_by_role("button", name="This is my own voice")
    await expect(question).to_be_visible()
    await expect(page.get_by_text("Nice! Now try:")).to_have_count(0)
    await question.click()
    await until_silent(page)

    assert time.monotonic() - opened < A_MINUTE
    await expect(page.get_by_text("Nice! Now try:")).to_be_visible()


async def test_the_page_plays_what_the_file_under_the_answer_holds_and_plays_it_live(room: OpenRoom, visit):
    page = await visit(room)
    await page.get_by_role("button", name="Perch", exact=False).first.click()
    await expect(page.get_by_role("button", name="Listening")).to_be_visible()
    await start_tap(page)

    await page.get_by_label("Message, or a command").fill("/speak ")
    await page.keyboard.type("One two three, what you hear is what was made, from first to last.")
    await page.keyboard.press("Enter")
    await until_silent(page)

    made, heard = pcm_of_wav(await file_under_last_answer(room, page)), await tapped(page)
    assert statistics.median(pieces_heard(made, heard)) > 0.9
    assert statistics.median(await delays(page)) < 0.5
    await expect(page.get_by_role("button", name="End-to-end encrypted")).to_be_visible()


async def test_every_piece_of_what_was_made_is_sent_to_the_page_and_most_are_played_at_once(
    room: OpenRoom, visit
):
    page = await visit(room)
    frames = sound_frames(page)
    await page.reload()
    await page.get_by_role("button", name="Perch", exact=False).first.click()
    await expect(page.get_by_role("button", name="Listening")).to_be_visible()

    await page.get_by_label("Message, or a command").fill("/speak ")
    await page.keyboard.type("Not the shortest hole is left in this.")
    await page.keyboard.press("Enter")
    await until_silent(page)

    numbers = [int.from_bytes(frame[8:12], "little") for frame in frames]
    made, sent = (
        pcm_of_wav(await file_under_last_answer(room, page)),
        b"".join(f[HEAD_BYTES:] for f in frames),
    )
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {len(frame) for frame in frames} == {HEAD_BYTES + 2 * 960}
    assert min(pieces_heard(made, sent)) > 0.9
    played = await page.evaluate('import("/static/js/listen.js").then(({ listening }) => listening.pieces)')
    assert played > 0.7 * len(frames)


async def test_a_recording_dropped_on_the_page_goes_into_the_clone_command(
    room: OpenRoom, visit, tmp_path: Path
):
    page = await visit(room)
    await page.get_by_label("Message, or a command").fill("/clone ")
    await page.keyboard.type("How do I sound?")

    await drop(page, RECORDINGS[1].path)
    await expect(page.get_by_text("little-sister.wav, 541 kB")).to_be_visible()
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="This is my own voice").click()

    await expect(page.get_by_text("cloned from little-sister.wav")).to_be_visible()
    assert pcm_of_wav(await file_under_last_answer(room, page))


def pieces_heard(made: bytes, heard: bytes) -> list[float]:
    """Return for each quarter of a second of ``made`` how well it is found in ``heard``.

    By pieces, because a machine that is too busy for a moment leaves a hole, and what follows is late.
    """
    size = 24_000
    return [
        likeness(made[start : start + size], heard).correlation
        for start in range(0, len(made) - size + 1, size)
    ]


async def file_under_last_answer(room: OpenRoom, page: Page) -> bytes:
    """Download the newest file of the page through the page's own address."""
    await expect(page.locator(".from-bot .file audio").last).to_be_attached()
    address = await page.locator(".from-bot .file audio").last.get_attribute("src")
    answer = await page.request.get(room.url.rstrip("/") + (address or ""))
    return await answer.body()


async def drop(page: Page, path: Path) -> None:
    """Drop a file of this machine onto the page, as a person does with the mouse."""
    await page.evaluate(
        """async ([url, name]) => {
          const blob = await (await fetch(url)).blob();
          const given = new DataTransfer();
          given.items.add(new File([blob], name, { type: "audio/wav" }));
          for (const kind of ["dragover", "drop"]) {
            document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: given, bubbles: true }));
          }
        }""",
        [f"/recordings/{path.stem}", path.name],
    )
