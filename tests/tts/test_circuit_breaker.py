import pytest

from bot.errors import (
    TTSBusyError,
    TTSCreditError,
    TTSDeniedError,
    TTSNoAnswerError,
    TTSQuotaError,
    TTSRejectedError,
    TTSServerError,
    TTSUnreachableError,
)
from bot.tts.http import CircuitBreaker
from tests.tts.conftest import Clock

REFUSED_KEY = TTSDeniedError(401, "invalid subscription key")
NO_CREDIT = TTSCreditError(402, "insufficient balance")
FORBIDDEN = TTSDeniedError(403, "Forbidden")


@pytest.mark.parametrize("error", [REFUSED_KEY, NO_CREDIT], ids=["401", "402"])
def test_a_refused_key_or_used_up_credit_shuts_at_once(clock: Clock, error):
    latch = CircuitBreaker(clock)
    latch.failed(error)

    with pytest.raises(type(error)) as raised:
        latch.admit()

    assert raised.value is not error
    assert (raised.value.status, raised.value.detail) == (error.status, error.detail)


def test_one_probe_is_let_through_every_fifteen_minutes(clock: Clock):
    latch = CircuitBreaker(clock)
    latch.failed(NO_CREDIT)
    admitted = []

    for _ in range(4 * 60):
        clock.now += 15.0
        try:
            admitted.append((clock.now, latch.admit()))
        except TTSCreditError:
            continue
        latch.failed(NO_CREDIT)

    assert admitted == [(1_900.0, True), (2_800.0, True), (3_700.0, True), (4_600.0, True)]


def test_while_a_probe_is_under_way_nobody_else_is_let_through(clock: Clock):
    latch = CircuitBreaker(clock)
    latch.failed(NO_CREDIT)
    clock.now += 900

    assert latch.admit() is True
    with pytest.raises(TTSCreditError):
        latch.admit()


def test_a_success_opens_it(clock: Clock):
    latch = CircuitBreaker(clock)
    latch.failed(REFUSED_KEY)
    clock.now += 900
    latch.admit()

    latch.succeeded()

    assert latch.admit() is False


def test_a_refused_text_proves_that_the_key_is_good_and_opens_it(clock: Clock):
    latch = CircuitBreaker(clock)
    latch.failed(REFUSED_KEY)
    clock.now += 900
    latch.admit()

    latch.failed(TTSRejectedError(400, "text is too long"))

    assert latch.admit() is False


def test_a_plain_403_shuts_it_only_after_three_in_a_row(clock: Clock):
    latch = CircuitBreaker(clock)

    for _ in range(2):
        latch.failed(FORBIDDEN)
    assert latch.admit() is False
    latch.failed(FORBIDDEN)

    with pytest.raises(TTSDeniedError):
        latch.admit()


@pytest.mark.parametrize("between", [TTSServerError(500), TTSRejectedError(400), None], ids=str)
def test_an_answer_of_another_kind_starts_the_count_of_403_anew(clock: Clock, between):
    latch = CircuitBreaker(clock)

    for _ in range(5):
        latch.failed(FORBIDDEN)
        latch.failed(FORBIDDEN)
        if between is None:
            latch.succeeded()
        else:
            latch.failed(between)

    assert latch.admit() is False


def test_silence_does_not_break_a_row_of_403(clock: Clock):
    latch = CircuitBreaker(clock)

    for error in (FORBIDDEN, TTSNoAnswerError("cut"), FORBIDDEN, TTSUnreachableError("refused"), FORBIDDEN):
        latch.failed(error)

    with pytest.raises(TTSDeniedError):
        latch.admit()


def test_a_quota_says_how_long_it_still_takes_and_opens_when_that_is_over(clock: Clock):
    latch = CircuitBreaker(clock)
    latch.failed(TTSQuotaError(403, "Out of call volume quota", retry_after=25_280.0))
    clock.now += 25_000

    with pytest.raises(TTSQuotaError) as raised:
        latch.admit()
    assert raised.value.retry_after == pytest.approx(280.0)

    clock.now += 280
    assert [latch.admit() for _ in range(3)] == [False, False, False]


def test_a_quota_without_a_time_is_probed_like_used_up_credit(clock: Clock):
    latch = CircuitBreaker(clock)
    latch.failed(TTSQuotaError(403, "Out of call volume quota"))

    with pytest.raises(TTSQuotaError):
        latch.admit()
    clock.now += 900

    assert latch.admit() is True


@pytest.mark.parametrize(
    "error",
    [TTSBusyError(429), TTSServerError(500), TTSNoAnswerError("cut"), TTSUnreachableError("refused")],
    ids=lambda error: type(error).__name__,
)
def test_passing_trouble_does_not_shut_it(clock: Clock, error):
    latch = CircuitBreaker(clock)

    for _ in range(10):
        latch.failed(error)

    assert latch.admit() is False
