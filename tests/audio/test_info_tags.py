"""Tags that we write are found again, and foreign ones cannot hurt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.audio.wav import ARTIST, COMMENT, SOFTWARE, TITLE, WavHeader, parse_wav, write_wav
from tests.audio.handmade import chunk, fmt, pcm16, riff, sine
from tests.audio.reading import info_tags, read

PCM = pcm16(sine())
TAGS = {TITLE: "Grüße 🎉", ARTIST: "Myna", COMMENT: "made by a machine", SOFTWARE: "Myna 0.1"}


def info(*entries: bytes) -> bytes:
    return chunk(b"LIST", b"INFO" + b"".join(entries))


def test_what_is_written_is_found_again():
    data = write_wav(PCM, tags=TAGS)
    sound = parse_wav(data)

    assert sound.samples.tobytes() == PCM
    assert (sound.rate, sound.channels) == (48_000, 1)
    assert info_tags(data) == TAGS
    assert read(data).tags["title"] == TAGS[TITLE]


def test_a_wav_without_tags_is_the_plain_44_byte_header_and_the_samples():
    data = write_wav(PCM)

    assert data == riff(fmt(), chunk(b"data", PCM))


def test_an_empty_sound_does_not_swallow_its_own_tags_as_samples():
    data = write_wav(b"", tags=TAGS)

    assert (len(parse_wav(data).samples), info_tags(data)) == (0, TAGS)


def test_tags_stand_before_the_samples():
    data = write_wav(PCM, tags=TAGS)
    head = data[: data.index(b"data") + 8]

    assert WavHeader.read(head) is not None
    assert info_tags(head) == TAGS


def test_the_riff_size_and_every_chunk_are_even():
    data = write_wav(PCM, tags={COMMENT: "ab"})  # with its NUL three bytes

    assert len(data) % 2 == 0
    assert int.from_bytes(data[4:8], "little") == len(data) - 8


@pytest.mark.parametrize(
    "foreign",
    [
        chunk(b"ICMT", b"x" * 100_000),
        b"".join(chunk(b"%04d" % number, b"x") for number in range(1_000)),
        chunk(b"ICMT", b"cut", size=2),
        chunk(b"ICMT", b"\xff\xfe"),
        chunk(b"\xff\xff\xff\xff", b"x"),
    ],
    ids=["large", "many", "cut", "not UTF-8", "no name"],
)
def test_foreign_tags_around_the_samples_are_passed_over(foreign: bytes):
    sound = parse_wav(riff(fmt(), info(foreign), chunk(b"data", PCM), info(foreign)))

    assert sound.samples.tobytes() == PCM


@pytest.mark.parametrize("name", ["comment", "ICM", "ICMTS", "icmt", "IC T", "ÄCMT", ""])
def test_a_tag_with_a_wrong_name_is_the_callers_mistake(name: str):
    with pytest.raises(ValueError, match="INFO tag"):
        write_wav(PCM, tags={name: "x"})


def test_half_a_sample_is_the_callers_mistake():
    with pytest.raises(ValueError, match="half a sample"):
        write_wav(b"123")


@settings(deadline=None)  # a busy machine is no failure
@given(st.dictionaries(st.from_regex(r"[A-Z0-9]{4}", fullmatch=True), st.text(max_size=40), max_size=8))
def test_any_tags_survive_the_round_trip(tags: dict[str, str]):
    expected = {
        name: text.replace("\0", "").encode("utf-8", "replace").decode() for name, text in tags.items()
    }

    assert info_tags(write_wav(PCM, tags=tags)) == expected
