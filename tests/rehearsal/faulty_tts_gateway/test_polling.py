"""Requests that are accepted first and answered later."""

from __future__ import annotations

import pytest

from rehearsal.faulty_tts_gateway.faults import Accepted202
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes.tts_gateway_caller import Caller


@pytest.mark.parametrize(
    ("fault", "statuses", "last"),
    [
        (Accepted202(0), [], "COMPLETED"),
        (Accepted202(3), ["QUEUED", "PROCESSING", "PROCESSING"], "COMPLETED"),
        (Accepted202(2, "FAILED"), ["QUEUED", "PROCESSING"], "FAILED"),
        (Accepted202(1, "ERROR"), ["QUEUED"], "ERROR"),
        (Accepted202(1, "NEVER"), ["QUEUED", "PROCESSING", "PROCESSING"], "PROCESSING"),
        (Accepted202(1, status=200), ["QUEUED"], "COMPLETED"),
    ],
)
async def test_an_accepted_request_can_be_asked_about(
    faulty: Caller, faults: FaultScript, fault: Accepted202, statuses: list[str], last: str
):
    faults.on_post(fault)
    accepted = await faulty.speak()
    url = f"{faulty.origin}/v2/requests/status/{accepted.json['request_id']}"

    polls = [await faulty.get(accepted.json["polling_url"]) for _ in range(len(statuses) + 2)]

    assert (accepted.status, accepted.json["status"]) == (fault.status, "QUEUED")
    assert accepted.json["polling_url"] == url
    assert [poll.json["status"] for poll in polls] == [*statuses, last, last]
    assert len(faults.polls) == len(polls)
    if last == "COMPLETED":
        assert (await faulty.get(polls[-1].json["output"]["media_url"][0])).status == 200


async def test_the_polling_address_can_be_missing_or_elsewhere(faulty: Caller, faults: FaultScript):
    faults.on_post(Accepted202(polling_url=""), Accepted202(polling_url="http://127.0.0.1:9/steal"))

    missing, elsewhere = await faulty.speak(), await faulty.speak()

    assert set(missing.json) == {"request_id", "status"}
    assert elsewhere.json["polling_url"] == "http://127.0.0.1:9/steal"


async def test_an_unknown_request_cannot_be_asked_about(faulty: Caller):
    assert (await faulty.get("/v2/requests/status/none")).status == 404
