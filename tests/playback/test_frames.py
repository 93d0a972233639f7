from bot.playback.frames import LEAD_FRAMES, SILENCE, TAIL_FRAMES, OpusFrames
from tests.playback.speaking import frames, speech


def test_speech_lies_between_leading_silence_and_a_short_tail() -> None:
    source = OpusFrames(frames("hello"))

    heard = list(iter(source.read, b""))

    assert heard == [SILENCE] * LEAD_FRAMES + frames("hello") + [SILENCE] * TAIL_FRAMES


def test_it_needs_no_encoder() -> None:
    assert OpusFrames([]).is_opus()


def test_finished_is_known_only_when_the_end_was_seen() -> None:
    source = OpusFrames(frames("hello"))

    for _ in range(LEAD_FRAMES + 3 + TAIL_FRAMES):
        assert source.read()
        assert not source.finished

    assert source.read() == b""
    assert source.finished
    assert source.sent == 3


def test_one_that_was_broken_off_says_how_far_it_came() -> None:
    source = OpusFrames(frames("hello"))

    for _ in range(LEAD_FRAMES + 2):
        source.read()

    assert (source.sent, source.taken, source.finished) == (2, LEAD_FRAMES + 2, False)


def test_on_another_connection_it_goes_on_after_new_leading_silence() -> None:
    source = OpusFrames(frames("hello"))
    before = [source.read() for _ in range(LEAD_FRAMES + 1)]

    source.resume()
    after = list(iter(source.read, b""))

    assert after[:LEAD_FRAMES] == [SILENCE] * LEAD_FRAMES
    assert speech(before) + speech(after) == frames("hello")
