"""Tags that we write can be read again, and foreign ones cannot hurt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.audio.wav import (
    ARTIST,
    COMMENT,
    MAX_INFO_BYTES,
    MAX_TAGS,
    SOFTWARE,
    TITLE,
    WavHeader,
    parse_wav,
    read_info,
    write_wav,
)
from tests.audio.handmade import chunk, fmt, pcm16, riff, sine

PCM = pcm16(sine())
TAGS = {TITLE: "Grüße 🎉", ARTIST: "Myna", COMMENT: "made by a machine", SOFTWARE: "Myna 0.1"}


def info(*entries: bytes) -> bytes:
    return chunk(b"LIST", b"INFO" + b"".join(entries))


def test_what_is_written_is_read_again():
    sound = parse_wav(write_wav(PCM, tags=TAGS))

    assert sound.samples.tobytes() == PCM
    assert (sound.rate, sound.channels) == (48_000, 1)
    assert sound.tags == TAGS


def test_a_wav_without_tags_is_the_plain_44_byte_header_and_the_samples():
    data = write_wav(PCM)

    assert data == riff(fmt(), chunk(b"data", PCM))


def test_an_empty_sound_does_not_swallow_its_own_tags_as_samples():
    sound = parse_wav(write_wav(b"", tags=TAGS))

    assert (len(sound.samples), sound.tags) == (0, TAGS)


def test_tags_are_known_before_the_samples_arrive():
    data = write_wav(PCM, tags=TAGS)

    header = WavHeader.read(data[: data.index(b"data") + 8])

    assert header is not None
    assert header.tags == TAGS


def test_tags_behind_the_samples_are_read_too():
    behind = info(chunk(b"ICMT", b"behind\0"))

    sound = parse_wav(riff(fmt(), info(chunk(b"INAM", b"front\0")), chunk(b"data", PCM), behind))

    assert sound.tags == {TITLE: "front", COMMENT: "behind"}


def test_the_riff_size_and_every_chunk_are_even():
    data = write_wav(PCM, tags={COMMENT: "ab"})  # with its NUL three bytes

    assert len(data) % 2 == 0
    assert int.from_bytes(data[4:8], "little") == len(data) - 8


def test_a_list_too_large_to_be_tags_is_passed_over():
    large = info(chunk(b"ICMT", b"x" * MAX_INFO_BYTES))

    sound = parse_wav(riff(fmt(), large, chunk(b"data", PCM), large))

    assert (sound.tags, sound.samples.tobytes()) == ({}, PCM)


def test_a_list_of_very_many_tags_is_read_in_part():
    many = info(*(chunk(b"%04d" % number, b"x") for number in range(1_000)))

    assert len(parse_wav(riff(fmt(), many, chunk(b"data", PCM))).tags) == MAX_TAGS


@pytest.mark.parametrize("name", ["comment", "ICM", "ICMTS", "icmt", "IC T", "ÄCMT", ""])
def test_a_tag_with_a_wrong_name_is_the_callers_mistake(name: str):
    with pytest.raises(ValueError, match="INFO tag"):
        write_wav(PCM, tags={name: "x"})


def test_half_a_sample_is_the_callers_mistake():
    with pytest.raises(ValueError, match="half a sample"):
        write_wav(b"123")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", {}),
        (b"INF", {}),
        (b"adtl" + chunk(b"ICMT", b"x"), {}),
        (b"INFO" + chunk(b"ICMT", b"cut", size=4_000), {COMMENT: "cut"}),
        (b"INFO" + chunk(b"ICMT", b"\xff\xfe"), {COMMENT: "\ufffd\ufffd"}),
        (b"INFO" + chunk(b"\xff\xff\xff\xff", b"x"), {}),
        (b"INFO" + chunk(b"ICMT", b"first") + chunk(b"ICMT", b"second"), {COMMENT: "first"}),
        (b"INFO" + chunk(b"ICMT", b"before\0after"), {COMMENT: "before"}),
    ],
    ids=["empty", "short", "other list", "cut", "not UTF-8", "no name", "twice", "NUL inside"],
)
def test_foreign_tags_are_read_with_care(body: bytes, expected: dict[str, str]):
    assert read_info(body) == expected


@settings(deadline=None)  # a busy machine is no failure
@given(st.dictionaries(st.from_regex(r"[A-Z0-9]{4}", fullmatch=True), st.text(max_size=40), max_size=8))
def test_any_tags_survive_the_round_trip(tags: dict[str, str]):
    expected = {
        name: text.replace("\0", "").encode("utf-8", "replace").decode() for name, text in tags.items()
    }

    assert parse_wav(write_wav(PCM, tags=tags)).tags == expected
