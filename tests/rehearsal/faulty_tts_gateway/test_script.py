"""The script: order, memory, and its JSON form."""

from __future__ import annotations

import json

import pytest

from rehearsal.faulty_tts_gateway import catalog
from rehearsal.faulty_tts_gateway.faults import (
    Accepted202,
    BadWav,
    Cut,
    Delay,
    Drip,
    Fault,
    Redirect,
    Reset,
    Respond,
)
from rehearsal.faulty_tts_gateway.script import FaultScript, fault_from_json
from tests.fakes.tts_gateway_caller import Caller
from tests.tts_gateway.conftest import StartServer
from tts_gateway.server import ServerOptions


async def test_faults_are_used_once_and_in_order_and_then_all_is_right(faulty: Caller, faults: FaultScript):
    faults.on_post(Respond(500), None)
    faults.on_post(Respond(503))

    statuses = [(await faulty.speak()).status for _ in range(5)]

    assert statuses == [500, 200, 503, 200, 200]


async def test_what_is_set_for_every_request_comes_after_the_script(faulty: Caller, faults: FaultScript):
    faults.every_post = Respond(502)
    faults.on_post(Respond(500))

    statuses = [(await faulty.speak()).status for _ in range(3)]
    faults.clear()

    assert statuses == [500, 502, 502]
    assert (await faulty.speak()).status == 200


async def test_both_endpoints_share_one_script(faulty: Caller, faults: FaultScript):
    url = (await faulty.speak()).json["output"]
    faults.on_post(Respond(500), Respond(503))

    assert [(await faulty.clone(url)).status, (await faulty.speak()).status] == [500, 503]


async def test_what_was_received_is_remembered_as_it_came(faulty: Caller, faults: FaultScript):
    body = b'{ "text":"Hi" }'

    answer = await faulty.post_bytes("/text-to-speech", body, **{"Ocp-Apim-Subscription-Key": "key"})
    await faulty.get(answer.json["output"] + "?download=1")

    (post,) = faults.requests
    (download,) = faults.downloads
    assert (post.method, post.path, post.body) == ("POST", "/voxcpm/v1/text-to-speech", body)
    assert post.json == {"text": "Hi"}
    assert post.headers["ocp-apim-subscription-key"] == "key"
    assert download.path.endswith(".wav?download=1")


async def test_a_request_and_its_key_do_not_show_in_a_repr(faulty: Caller, faults: FaultScript):
    await faulty.post_bytes("/text-to-speech", b'{"text":"hush"}', **{"Ocp-Apim-Subscription-Key": "secret"})

    assert "hush" not in repr(faults.requests)
    assert "secret" not in repr(faults.requests)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        (None, None),
        (
            {"kind": "Respond", "status": 429, "headers": {"Retry-After": "5"}},
            Respond(429, headers={"Retry-After": "5"}),
        ),
        ({"kind": "Respond", "status": 200, "body": [1]}, Respond(200, [1])),
        ({"kind": "Delay", "seconds": 2, "of": {"kind": "Cut", "fraction": 0.5}}, Delay(2, Cut(0.5))),
        ({"kind": "Drip", "size": 10, "every": 0.5, "of": None}, Drip(10, 0.5)),
        ({"kind": "Reset"}, Reset()),
        ({"kind": "Reset", "after_bytes": 7}, Reset(7)),
        ({"kind": "Redirect", "status": 307, "to": "http://a/"}, Redirect(307, "http://a/")),
        ({"kind": "BadWav", "wav": "silent"}, BadWav("silent")),
        ({"kind": "Accepted202", "polls": 1, "outcome": "FAILED"}, Accepted202(1, "FAILED")),
        ({"named": "rate limit"}, catalog.AZURE_ERRORS["rate limit"]),
        (
            {"kind": "Delay", "seconds": 1, "of": {"named": "deep"}},
            Delay(1, catalog.BROKEN_SUCCESSES["deep"]),
        ),
    ],
)
def test_faults_can_be_written_as_json(written: object, fault: Fault | None):
    assert fault_from_json(json.loads(json.dumps(written))) == fault


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("Reset", "A fault must be an object or null."),
        ({}, "kind must be one of "),
        ({"kind": "Explode"}, "kind must be one of "),
        ({"kind": ["Reset"]}, "kind must be one of "),
        ({"named": "nothing"}, "named must be one of "),
        ({"named": ["deep"]}, "named must be one of "),
        ({"kind": "Delay"}, "Delay needs more fields."),
        ({"kind": "Delay", "seconds": "1"}, "Delay has no such seconds."),
        ({"kind": "Delay", "seconds": -1}, "Delay has no such seconds."),
        ({"kind": "Delay", "seconds": True}, "Delay has no such seconds."),
        ({"kind": "Delay", "seconds": 1, "minutes": 1}, "Delay has no such minutes."),
        ({"kind": "Delay", "seconds": 1, "of": 5}, "A fault must be an object or null."),
        ({"kind": "Reset", "after_bytes": 1.5}, "Reset has no such after_bytes."),
        ({"kind": "Respond", "status": 200, "headers": {"a": 1}}, "Respond has no such headers."),
        ({"kind": "Respond", "status": 99_999}, "status must be from 200 to 599."),
        ({"kind": "Respond", "status": 200, "headers": {"a": "b\r\nc: d"}}, "Respond has no such headers."),
        ({"kind": "Drip", "size": 0, "every": 1}, "size must be above 0."),
        ({"kind": "BadWav", "wav": "opus"}, "wav must be one of "),
    ],
)
def test_a_wrong_fault_is_refused_with_its_reason(written: object, reason: str):
    with pytest.raises(ValueError, match="^" + reason):
        fault_from_json(written)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"[" * 100_000, b'{"on_post": {}}', b'{"on_download": [1]}', b"\xff"]
)
def test_a_wrong_script_changes_nothing(body: bytes):
    script = FaultScript()
    script.every_post = Respond(500)

    with pytest.raises(ValueError, match=r"."):
        script.apply_json(body)

    assert script.every_post == Respond(500)


def test_no_two_faults_of_the_catalog_have_one_name():
    tables = (catalog.AZURE_ERRORS, catalog.OTHER_SHAPES, catalog.BROKEN_SUCCESSES)

    assert len({name for table in tables for name in table}) == sum(map(len, tables))


async def test_a_script_can_be_put_at_run_time(faulty: Caller):
    script = {
        "clear": True,
        "on_post": [{"named": "rate limit"}, None],
        "every_post": {"kind": "Respond", "status": 503},
        "every_download": {"kind": "Respond", "status": 404},
    }

    put = await faulty.request("PUT", f"{faulty.origin}/faults", json=script)

    assert put.status == 204
    answers = [await faulty.speak() for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 200, 503]
    assert (await faulty.get(answers[1].json["output"])).status == 404
    put = await faulty.request("PUT", f"{faulty.origin}/faults", json={"clear": True})
    assert (await faulty.speak()).status == 200


async def test_a_wrong_script_is_400_with_its_reason(faulty: Caller):
    answer = await faulty.request("PUT", f"{faulty.origin}/faults", json={"on_post": ["x"]})

    assert answer.json == {"statusCode": 400, "message": "A fault must be an object or null."}


async def test_where_a_key_is_needed_the_script_needs_it_too(start: StartServer, faults: FaultScript):
    caller = await start(ServerOptions(api_key="k" * 16), faults)

    without = await caller.request("PUT", f"{caller.origin}/faults", json={})
    with_key = await caller.request(
        "PUT", f"{caller.origin}/faults", json={}, headers={"Ocp-Apim-Subscription-Key": "k" * 16}
    )

    assert (without.status, with_key.status) == (401, 204)
