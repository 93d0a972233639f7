import pytest

from bot.errors import (
    TTSBusyError,
    TTSCreditError,
    TTSDeniedError,
    TTSError,
    TTSNoAnswerError,
    TTSPayloadError,
    TTSQuotaError,
    TTSRejectedError,
    TTSServerError,
    TTSStatusError,
    TTSUnreachableError,
)
from bot.tts.http import OUTAGE_SECONDS, CircuitBreaker
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


@pytest.mark.parametrize("error", [REFUSED_KEY, NO_CREDIT], ids=["401", "402"])
@pytest.mark.parametrize("step", [1.0, 15.0, 30.0])
def test_probes_are_let_through_after_1_2_5_and_then_every_15_minutes(clock: Clock, error, step: float):
    latch = CircuitBreaker(clock)
    began = clock.now
    latch.failed(error)
    waited = []

    while clock.now < began + 4_000.0:
        clock.now += step
        try:
            assert latch.admit() is True
        except type(error):
            continue
        waited.append((clock.now - began) / 60.0)
        latch.failed(error)

    assert waited == [1.0, 3.0, 8.0, 23.0, 38.0, 53.0]


def test_the_next_outage_is_probed_after_one_minute_again(clock: Clock):
    latch = CircuitBreaker(clock)
    for _ in range(2):
        latch.failed(NO_CREDIT)
        for seconds in (60.0, 120.0):
            clock.now += seconds
            assert latch.admit() is True
            latch.failed(NO_CREDIT)
        clock.now += 300.0
        assert latch.admit() is True
        latch.succeeded()


def test_others_that_fail_at_the_same_time_do_not_delay_the_next_probe(clock: Clock):
    latch = CircuitBreaker(clock)
    for _ in range(20):
        latch.failed(NO_CREDIT)

    clock.now += 60.0

    assert latch.admit() is True


def changes(latch: CircuitBreaker) -> list[TTSError | None]:
    """Return what the operator is to be told since the last look."""
    return [latch.changes.get_nowait() for _ in range(latch.changes.qsize())]


def test_an_outage_is_told_once_however_many_calls_and_probes_fail(clock: Clock):
    latch = CircuitBreaker(clock)
    latch.succeeded()
    assert changes(latch) == [None]

    for _ in range(10):
        for error in (NO_CREDIT, REFUSED_KEY, NO_CREDIT):
            latch.failed(error)
        clock.now += 900.0
        latch.admit()
    assert changes(latch) == [NO_CREDIT]
    latch.succeeded()
    latch.succeeded()
    assert changes(latch) == [None]


@pytest.mark.parametrize(
    "error", [TTSQuotaError(403, "", retry_after=60.0), TTSServerError(500), TTSUnreachableError("down")]
)
def test_what_the_operator_cannot_mend_is_not_told(clock: Clock, error):
    latch = CircuitBreaker(clock)
    latch.succeeded()
    changes(latch)

    for _ in range(5):
        latch.failed(error)
        clock.now += OUTAGE_SECONDS
    latch.succeeded()

    assert changes(latch) == []


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


TROUBLE = [
    TTSServerError(500),
    TTSBusyError(503),
    TTSNoAnswerError("silence"),
    TTSUnreachableError("refused"),
    TTSPayloadError("rubbish"),
]


@pytest.mark.parametrize("error", TROUBLE, ids=lambda error: type(error).__name__)
def test_an_outage_opens_it_when_nobody_was_served_for_long(clock: Clock, error):
    breaker = CircuitBreaker(clock)
    breaker.succeeded()
    began = clock.now

    for _ in range(12):
        clock.now += 3.0
        breaker.failed(error, began=clock.now - 1.0)
        if breaker.is_open:
            break

    assert clock.now - began == pytest.approx(OUTAGE_SECONDS + 3.0)
    kind = type(error) if isinstance(error, TTSStatusError) else TTSUnreachableError  # nothing is sent now
    with pytest.raises(kind) as raised:
        breaker.admit()
    assert raised.value is not error
    assert str(error) in str(raised.value)


def test_one_who_is_served_among_many_that_fail_keeps_it_closed(clock: Clock):
    breaker = CircuitBreaker(clock)

    for number in range(500):
        clock.now += 1.0
        breaker.failed(TTSServerError(500), began=clock.now - 1.0)
        if number % 20 == 0:
            breaker.succeeded(0.5)
        assert breaker.admit() is False


def test_where_calls_take_long_nobody_is_served_for_long_before_it_opens(clock: Clock):
    breaker = CircuitBreaker(clock)
    breaker.succeeded(took=20.0)
    began = clock.now

    while not breaker.is_open:
        clock.now += 2.0
        breaker.failed(TTSNoAnswerError("silence"), began=clock.now - 2.0)

    assert clock.now - began == pytest.approx(80.0, abs=3.0)


def test_two_failures_are_not_everybody_however_far_apart(clock: Clock):
    breaker = CircuitBreaker(clock)

    for _ in range(2):
        clock.now += 3_600.0
        breaker.failed(TTSServerError(500))

    assert breaker.admit() is False


def test_calls_that_hung_for_long_and_end_together_open_it_at_once(clock: Clock):
    breaker = CircuitBreaker(clock)
    began = clock.now
    clock.now += 90.0

    for _ in range(3):
        breaker.failed(TTSNoAnswerError("silence"), began=began)

    assert breaker.is_open


def test_busy_answers_that_name_a_time_are_no_outage(clock: Clock):
    breaker = CircuitBreaker(clock)

    for _ in range(100):
        clock.now += 5.0
        breaker.failed(TTSBusyError(429))
        breaker.failed(TTSBusyError(503, retry_after=5.0))

    assert breaker.admit() is False


def test_an_outage_is_looked_at_less_and_less_often_and_ends_with_a_success(clock: Clock):
    breaker = CircuitBreaker(clock)
    began = clock.now
    clock.now += 60.0
    for _ in range(3):
        breaker.failed(TTSUnreachableError("refused"), began=began)
    looks, opened = [], clock.now

    for _ in range(900):
        clock.now += 1.0
        try:
            assert breaker.admit() is True
        except TTSUnreachableError:
            continue
        looks.append(clock.now - opened)
        breaker.failed(TTSUnreachableError("refused"), began=clock.now)
    breaker.succeeded()

    assert looks == [15.0, 45.0, 105.0, 225.0, 465.0, 765.0]
    assert breaker.admit() is False
    assert breaker.outage is None
