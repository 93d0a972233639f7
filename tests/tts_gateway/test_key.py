"""Who is let in where a key is needed."""

from __future__ import annotations

import pytest

from tests.fakes.tts_gateway_caller import Caller
from tests.tts_gateway.conftest import StartServer
from tts_gateway.server import ServerOptions

KEY = "k" * 32
SPEAK, CLONE = "/text-to-speech", "/voice-cloning"
MISSING_KEY = (
    "Access denied due to missing subscription key. Make sure to include subscription key when making "
    "requests to an API."
)
INVALID_KEY = (
    "Access denied due to invalid subscription key. Make sure to provide a valid key for an active "
    "subscription."
)


async def test_without_a_configured_key_none_is_needed_and_any_is_fine(caller: Caller):
    answer = await caller.post(SPEAK, {"text": "a"}, headers={"Ocp-Apim-Subscription-Key": "whatever"})

    assert answer.status == 200


@pytest.mark.parametrize("path", [SPEAK, CLONE])
@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, MISSING_KEY),
        ("", MISSING_KEY),
        ("wrong", INVALID_KEY),
        (KEY[:-1], INVALID_KEY),
        (KEY + "é", INVALID_KEY),
    ],
)
async def test_a_missing_or_wrong_key_is_401_in_azures_words(
    start: StartServer, path: str, key: str | None, reason: str
):
    caller = await start(ServerOptions(api_key=KEY))

    answer = await caller.post(path, {}, headers={} if key is None else {"Ocp-Apim-Subscription-Key": key})

    assert answer.json == {"statusCode": 401, "message": reason}
    assert answer.headers["WWW-Authenticate"].startswith("AzureApiManagementKey ")


async def test_the_right_key_opens_and_sounds_need_none(start: StartServer):
    caller = await start(ServerOptions(api_key=KEY))

    answer = await caller.post(SPEAK, {"text": "a"}, headers={"ocp-apim-subscription-key": KEY})

    assert answer.status == 200
    assert (await caller.get(answer.json["output"])).status == 200
