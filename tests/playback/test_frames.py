from bot.playback.queue import ENOUGH_FRAMES, LEAD_FRAMES, SILENCE, TAIL_FRAMES, FrameBuffer, OpusFrames
from tests.playback.speaking import frames, speech


def test_speech_lies_between_leading_silence_and_a_short_tail() -> None:
    source = OpusFrames(FrameBuffer.of(frames("hello")))

    heard = list(iter(source.read, b""))

    assert heard == [SILENCE] * LEAD_FRAMES + frames("hello") + [SILENCE] * TAIL_FRAMES


def test_frames_that_are_opus_need_no_encoder() -> None:
    assert OpusFrames(FrameBuffer()).is_opus()


def test_finished_is_known_only_when_the_end_was_seen() -> None:
    source = OpusFrames(FrameBuffer.of(frames("hello")))

    for _ in range(LEAD_FRAMES + 3 + TAIL_FRAMES):
        assert source.read()
        assert not source.finished

    assert source.read() == b""
    assert source.finished
    assert source.sent == 3


def test_one_that_was_broken_off_says_how_far_it_came() -> None:
    source = OpusFrames(FrameBuffer.of(frames("hello")))

    for _ in range(LEAD_FRAMES + 2):
        source.read()

    assert (source.sent, source.taken, source.finished) == (2, LEAD_FRAMES + 2, False)


def test_on_another_connection_it_goes_on_after_new_leading_silence() -> None:
    source = OpusFrames(FrameBuffer.of(frames("hello")))
    before = [source.read() for _ in range(LEAD_FRAMES + 1)]

    source.resume()
    after = list(iter(source.read, b""))

    assert after[:LEAD_FRAMES] == [SILENCE] * LEAD_FRAMES
    assert speech(before) + speech(after) == frames("hello")


def test_where_the_sound_runs_out_there_is_silence_and_then_it_goes_on() -> None:
    buffer = FrameBuffer()
    source = OpusFrames(buffer)
    buffer.append(frames("first", 5))

    heard = [source.read() for _ in range(LEAD_FRAMES + 5 + 7)]
    buffer.append(frames("second", 5))
    buffer.complete()
    heard += iter(source.read, b"")

    assert heard == [
        *[SILENCE] * LEAD_FRAMES,
        *frames("first", 5),
        *[SILENCE] * 7,
        *frames("second", 5),
        *[SILENCE] * TAIL_FRAMES,
    ]
    assert (source.gaps, round(source.gap_seconds, 2)) == (1, 0.14)


def test_after_it_ran_out_it_goes_on_only_with_some_frames_at_hand() -> None:
    buffer = FrameBuffer()
    source = OpusFrames(buffer)
    buffer.append(frames("first", 5))
    for _ in range(LEAD_FRAMES + 5 + 1):
        source.read()

    buffer.append(frames("second", ENOUGH_FRAMES - 1))
    too_few = [source.read() for _ in range(3)]
    buffer.append(frames("third", 1))
    enough = [source.read() for _ in range(ENOUGH_FRAMES)]

    assert too_few == [SILENCE] * 3
    assert enough == frames("second", ENOUGH_FRAMES - 1) + frames("third", 1)
    assert source.gaps == 1


def test_the_last_frames_are_not_held_back_however_few_they_are() -> None:
    buffer = FrameBuffer()
    source = OpusFrames(buffer)
    buffer.append(frames("first", 5))
    for _ in range(LEAD_FRAMES + 5 + 1):
        source.read()

    buffer.append(frames("last", 1))
    buffer.complete()

    assert list(iter(source.read, b"")) == frames("last", 1) + [SILENCE] * TAIL_FRAMES


def test_a_sound_that_came_in_time_has_no_gaps() -> None:
    source = OpusFrames(FrameBuffer.of(frames("hello")))

    assert list(iter(source.read, b""))
    assert (source.gaps, source.gap_seconds) == (0, 0)
