"""The script: order, memory, and its JSON form."""

from __future__ import annotations

import json

import pytest

from rehearsal.faulty_tts_gateway import catalog
from rehearsal.faulty_tts_gateway.faults import Respond
from rehearsal.faulty_tts_gateway.script import FaultScript, ReceivedRequest
from tests.fakes.tts_gateway_caller import Caller
from tests.tts_gateway.conftest import StartServer
from tts_gateway.server import ServerOptions

NOTHING = {"every_post": None, "every_download": None}


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
    "body",
    [
        *(b"", b"[]", b"7", b"[" * 100_000, b"{}", b"\xff", b'{"every_post": "busy"}'),
        b'{"every_post": "explode", "every_download": null}',
        b'{"every_post": null, "every_download": ["cut"]}',
    ],
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


@pytest.mark.parametrize("name", catalog.NAMED)
def test_every_named_fault_can_be_set_for_both_kinds_of_requests(name: str):
    script = FaultScript()
    script.on_post(Respond(500))

    script.apply_json(json.dumps({"every_post": name, "every_download": name}).encode())

    assert script.every_post is script.every_download is catalog.NAMED[name]
    assert script.take_post(ReceivedRequest("POST", "/", {}, b"")) is catalog.NAMED[name]


async def test_a_script_can_be_put_at_run_time(faulty: Caller):
    url = (await faulty.speak()).json["output"]
    script = {"every_post": "busy", "every_download": "html"}

    put = await faulty.request("PUT", f"{faulty.origin}/faults", json=script)

    assert put.status == 204
    assert [(await faulty.speak()).status for _ in range(2)] == [429, 429]
    assert (await faulty.get(url)).body.startswith(b"<!doctype html>")
    put = await faulty.request("PUT", f"{faulty.origin}/faults", json=dict.fromkeys(script))
    assert (await faulty.speak()).status == 200


async def test_a_wrong_script_is_400_with_its_reason(faulty: Caller):
    answer = await faulty.request("PUT", f"{faulty.origin}/faults", json={"every_post": "x"})

    reason = "every_post and every_download must be names of faults, or null."
    assert answer.json == {"statusCode": 400, "message": reason}


async def test_where_a_key_is_needed_the_script_needs_it_too(start: StartServer, faults: FaultScript):
    caller = await start(ServerOptions(api_key="k" * 16), faults)

    without = await caller.request("PUT", f"{caller.origin}/faults", json=NOTHING)
    with_key = await caller.request(
        "PUT", f"{caller.origin}/faults", json=NOTHING, headers={"Ocp-Apim-Subscription-Key": "k" * 16}
    )

    assert (without.status, with_key.status) == (401, 204)
