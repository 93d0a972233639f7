import pytest

from bot.errors import (
    TTSBusyError,
    TTSError,
    TTSFetchError,
    TTSNoAnswerError,
    TTSServerError,
    TTSUnreachableError,
)
from bot.tts.http import RetryPolicy

REFUSED = TTSUnreachableError("refused")


def test_the_delay_doubles_from_half_a_second_up_to_eight():
    policy = RetryPolicy(tries=8)

    delays = [policy.delay_after(tries, REFUSED, 0.0) for tries in range(1, 9)]

    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, None]


def test_jitter_shortens_by_at_most_a_quarter():
    policy = RetryPolicy()

    assert policy.delay_after(1, REFUSED, 1.0) == pytest.approx(0.375)


def test_a_call_is_made_three_times_at_most():
    policy = RetryPolicy()

    delays = [policy.delay_after(tries, REFUSED, 0.5) is not None for tries in (1, 2, 3)]

    assert delays == [True, True, False]


@pytest.mark.parametrize(
    "error",
    [TTSNoAnswerError("silence"), TTSServerError(500), TTSFetchError("cut"), TTSError("any")],
    ids=lambda error: type(error).__name__,
)
def test_what_may_have_been_carried_out_is_never_made_again(error):
    assert RetryPolicy().delay_after(1, error, 0.0) is None


@pytest.mark.parametrize("said", [0.001, 5.0, 26.0, 60.0])
def test_a_short_wait_that_the_answer_names_is_kept_and_never_cut_short(said):
    error = TTSBusyError(429, retry_after=said)

    delays = [RetryPolicy().delay_after(1, error, luck / 10) for luck in range(11)]

    assert all(delay is not None and said <= delay <= said * 1.1 for delay in delays)


@pytest.mark.parametrize("said", [60.5, 999_999.0])
def test_a_long_wait_ends_the_call_at_once(said):
    assert RetryPolicy().delay_after(1, TTSBusyError(429, retry_after=said), 0.0) is None


@pytest.mark.parametrize("said", [0.0, None])
def test_no_wait_or_none_named_is_the_ordinary_delay(said):
    assert RetryPolicy().delay_after(1, TTSBusyError(429, retry_after=said), 0.0) == 0.5
