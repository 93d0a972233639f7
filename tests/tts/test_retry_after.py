from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from multidict import CIMultiDict

from bot.tts.http import seconds_to_wait

DATE = "Tue, 24 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "detail", "seconds"),
    [
        ({"Retry-After": "5"}, "", 5.0),
        ({"retry-after": " 5 "}, "", 5.0),
        ({"Retry-After": "0"}, "", 0.0),
        ({"Retry-After": "1.5"}, "", 1.5),
        ({"Retry-After": "999999"}, "", 999_999.0),
        ({"Retry-After": "Tue, 24 Nov 2026 10:00:42 GMT", "Date": DATE}, "", 42.0),
        ({"Retry-After": "Tue, 24 Nov 2026 11:00:42 +0100", "Date": DATE}, "", 42.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT", "Date": DATE}, "", 0.0),
        ({"retry-after-ms": "1500"}, "", 1.5),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, "", 1.5),
        ({}, "Rate limit is exceeded. Try again in 26 seconds.", 26.0),
        ({"Retry-After": "soon"}, "Rate limit is exceeded. Try again in 26 seconds.", 26.0),
        ({"Retry-After": "7"}, "Rate limit is exceeded. Try again in 26 seconds.", 7.0),
        ({}, "Please try again in 250ms.", 0.25),
        ({}, "try again in 1.5 s", 1.5),
        ({}, "Try again after 2 minutes", 120.0),
        ({}, "Out of call volume quota. Quota will be replenished in 07:01:20.", 25_280.0),
        ({}, "Out of call volume quota. Quota will be replenished in 20.09:58:55.", 1_763_935.0),
        ({}, "Out of call volume quota. Quota will be replenished in 2.12 days.", 183_168.0),
    ],
)
def test_every_form_of_a_wait_is_read(headers, detail, seconds):
    assert seconds_to_wait(CIMultiDict(headers), detail) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    ["-5", "soon", "", "nan", "inf", "1e9", "9" * 400, "0x10", "5 seconds", "Tue, 99 Nov 2026", "\u0665"],
)
def test_rubbish_is_no_wait_at_all(value):
    assert seconds_to_wait(CIMultiDict({"Retry-After": value, "retry-after-ms": value})) is None


def test_an_answer_without_retry_after_asks_for_no_wait():
    assert seconds_to_wait(CIMultiDict(), "Forbidden") is None


def test_a_date_without_the_servers_own_clock_is_measured_by_ours():
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=500), usegmt=True)

    seconds = seconds_to_wait(CIMultiDict({"Retry-After": moment}))

    assert seconds is not None
    assert 400 < seconds <= 500
