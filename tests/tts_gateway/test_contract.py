"""The contract to the letter, over a real socket."""

from __future__ import annotations

import re

import pytest

from tests.fakes.tone_engine import ToneEngine
from tests.fakes.tts_gateway_caller import Caller
from tests.tts_gateway.conftest import StartServer
from tts_gateway.server import ServerOptions, create_app, serving

KEY = "k" * 32
SPEAK, CLONE = "/text-to-speech", "/voice-cloning"


async def test_text_to_speech_answers_with_the_address_of_a_wav_and_nothing_else(caller: Caller):
    answer = await caller.speak()

    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert list(answer.json) == ["output"]
    sound = await caller.get(answer.json["output"])
    assert (sound.status, sound.headers["Content-Type"]) == (200, "audio/wav")
    assert sound.body.startswith(b"RIFF")


async def test_voice_cloning_answers_with_the_documented_five_fields(caller: Caller):
    reference = (await caller.speak()).json["output"]

    answer = await caller.clone(reference)

    assert answer.status == 200
    assert list(answer.json) == ["url", "audio_url", "sample_rate", "elapsed_s", "status"]
    assert answer.json["url"] == answer.json["audio_url"]
    assert (answer.json["sample_rate"], answer.json["status"]) == (48_000, "done")
    assert 0 <= answer.json["elapsed_s"] < 20
    assert (await caller.get(answer.json["url"])).body.startswith(b"RIFF")


async def test_the_engine_hears_exactly_what_was_asked(caller: Caller, engine: ToneEngine):
    sound = await caller.get((await caller.speak("(old)Hi ", cfg_value=1.5, dit_steps=20.0)).json["output"])
    url = (await caller.speak("Hello")).json["output"]

    await caller.clone(url, "Hi", prompt_text="Hello", cfg_value="ignored")
    await caller.clone(url, "Hi", prompt_text="  ")
    await caller.clone(url, "Hi")

    reference = (await caller.get(url)).body
    assert sound.status == 200
    assert engine.calls == [
        ("(old)Hi ", 1.5, 20),
        ("Hello", 2.0, 10),
        ("Hi", reference, "Hello"),
        ("Hi", reference, None),
        ("Hi", reference, None),
    ]


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (SPEAK, b"{}", "text is missing."),
        (SPEAK, b'{"text": ""}', "text is blank."),
        (SPEAK, b'{"text": " \\n\\t"}', "text is blank."),
        (SPEAK, b'{"text": null}', "text must be a string."),
        (SPEAK, b'{"text": 7}', "text must be a string."),
        (SPEAK, b'{"text": ["Hello"]}', "text must be a string."),
        (SPEAK, b'{"text": "\\ud800"}', "text is not valid Unicode."),
        (SPEAK, b'{"text": "%s"}' % (b"a" * 5_001), "text is longer than 5000 characters."),
        (SPEAK, b'{"text": "a", "cfg_value": "2"}', "cfg_value must be a number."),
        (SPEAK, b'{"text": "a", "cfg_value": true}', "cfg_value must be a number."),
        (SPEAK, b'{"text": "a", "cfg_value": null}', "cfg_value must be a number."),
        (SPEAK, b'{"text": "a", "cfg_value": 0}', "cfg_value must be between 0.1 and 10."),
        (SPEAK, b'{"text": "a", "cfg_value": 10.01}', "cfg_value must be between 0.1 and 10."),
        (SPEAK, b'{"text": "a", "cfg_value": 1e400}', "cfg_value must be between 0.1 and 10."),
        (SPEAK, b'{"text": "a", "dit_steps": 2.5}', "dit_steps must be a whole number."),
        (SPEAK, b'{"text": "a", "dit_steps": 1e400}', "dit_steps must be a whole number."),
        (SPEAK, b'{"text": "a", "dit_steps": false}', "dit_steps must be a whole number."),
        (SPEAK, b'{"text": "a", "dit_steps": 0}', "dit_steps must be between 1 and 100."),
        (SPEAK, b'{"text": "a", "dit_steps": 101}', "dit_steps must be between 1 and 100."),
        (SPEAK, b"", "The body is not valid JSON."),
        (SPEAK, b"{", "The body is not valid JSON."),
        (SPEAK, b'{"text": "a", "text": "b"}', "The body is not valid JSON."),
        (SPEAK, b'{"text": "a", "cfg_value": NaN}', "The body is not valid JSON."),
        (SPEAK, b'{"text": "a", "dit_steps": %s}' % (b"9" * 5_000), "The body is not valid JSON."),
        (SPEAK, b"[" * 50_000, "The body is not valid JSON."),
        (SPEAK, b'\xef\xbb\xbf{"text": "a"}', "The body is not valid JSON."),
        (SPEAK, '{"text": "a"}'.encode("utf-16"), "The body is not valid JSON."),
        (SPEAK, b'{"text": "\xff"}', "The body is not valid JSON."),
        (SPEAK, b'["text"]', "The body must be a JSON object."),
        (SPEAK, b'{"text": "refuse"}', "There is nothing to say in this text."),
        (CLONE, b'{"reference_audio_url": "http://127.0.0.1/a"}', "text is missing."),
        (CLONE, b'{"text": "a"}', "reference_audio_url is missing."),
        (CLONE, b'{"text": "a", "reference_audio_url": ""}', "reference_audio_url is blank."),
        (CLONE, b'{"text": "a", "reference_audio_url": {}}', "reference_audio_url must be a string."),
        (
            CLONE,
            b'{"text": "a", "reference_audio_url": "http://a/%s"}' % (b"a" * 2_048),
            "reference_audio_url is longer than 2048 characters.",
        ),
        (
            CLONE,
            b'{"text": "a", "reference_audio_url": "http://127.0.0.1/a", "prompt_text": 1}',
            "prompt_text must be a string.",
        ),
        (
            CLONE,
            b'{"text": "a", "reference_audio_url": "http://127.0.0.1/a"}',
            "reference_audio_url cannot be reached.",
        ),
    ],
)
async def test_what_is_wrong_with_a_request_is_said_with_400(
    caller: Caller, path: str, body: bytes, reason: str
):
    answer = await caller.post_bytes(path, body)

    assert answer.status == 400
    assert answer.json == {"statusCode": 400, "message": reason}


async def test_limits_are_allowed_themselves(caller: Caller):
    longest = await caller.speak("a" * 5_000, cfg_value=10, dit_steps=100)
    least = await caller.speak("a", cfg_value=0.1, dit_steps=1)

    assert (longest.status, least.status) == (200, 200)


async def test_a_body_that_is_not_announced_as_json_is_refused(caller: Caller):
    answer = await caller.post_bytes(SPEAK, b'{"text": "a"}', **{"Content-Type": "text/plain"})

    assert (answer.status, answer.message) == (400, "Content-Type must be application/json.")


async def test_a_charset_after_the_content_type_is_fine(caller: Caller):
    answer = await caller.post_bytes(
        SPEAK, b'{"text": "a"}', **{"Content-Type": "application/json; charset=utf-8"}
    )

    assert answer.status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/voxcpm/v1/text-to-speech"),
        ("PUT", "/voxcpm/v1/voice-cloning"),
        ("POST", "/voxcpm/v1/nothing"),
        ("POST", "/voxcpm/v1"),
        ("GET", "/"),
        ("GET", "/files/"),
        ("GET", "/files/nobody-knows.wav"),
        ("GET", "/files/..%2F..%2Fetc%2Fpasswd"),
        ("PUT", "/faults"),
        ("GET", "/v2/requests/status/1"),
    ],
)
async def test_a_wrong_path_or_verb_is_404_in_azures_words(caller: Caller, method: str, path: str):
    answer = await caller.request(method, caller.origin + path)

    assert answer.status == 404
    assert answer.json == {"statusCode": 404, "message": "Resource not found"}


async def test_a_body_beyond_the_limit_is_413_and_one_within_it_is_not(start: StartServer):
    caller = await start(ServerOptions(max_body_bytes=100))
    fitting = b'{"text": "' + b"a" * 87 + b'"}'

    within = await caller.post_bytes(SPEAK, fitting + b" " * (100 - len(fitting)))
    beyond = await caller.post_bytes(SPEAK, fitting + b" " * (101 - len(fitting)))

    assert within.status == 200
    assert beyond.json == {"statusCode": 413, "message": "The body is too long."}


async def test_a_body_that_never_comes_is_408(start: StartServer):
    caller = await start(ServerOptions(body_seconds=0.05))

    answer = await caller.raw(
        b"POST /voxcpm/v1/text-to-speech HTTP/1.1\r\n"
        b"Host: a\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_is_not_encoded_as_its_head_says_is_400(caller: Caller):
    answer = await caller.post_bytes(SPEAK, b'{"text": "a"}', **{"Content-Encoding": "gzip"})

    assert answer.json == {"statusCode": 400, "message": "The body cannot be read."}


async def test_a_malformed_request_is_400_and_its_key_is_not_logged(
    caller: Caller, caplog: pytest.LogCaptureFixture
):
    answer = await caller.raw(
        b"POST /voxcpm/v1/text-to-speech HTTP/1.1\r\nHost: a\r\n"
        b"Ocp-Apim-Subscription-Key : " + KEY.encode() + b"\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.0 400 ")
    assert "Error handling request" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("text", ["break", "burst"])
async def test_a_failing_engine_is_500_and_its_secrets_stay_inside(caller: Caller, text: str):
    answer = await caller.speak(text)

    assert answer.status == 500
    assert set(answer.json) == {"statusCode", "message", "activityId"}
    assert answer.message == "Internal server error"


async def test_an_engine_that_takes_too_long_is_500_and_is_stopped(start: StartServer, engine: ToneEngine):
    caller = await start(ServerOptions(engine_seconds=0.05))

    answer = await caller.speak("wait")

    assert answer.status == 500
    assert engine.cancelled == 1


async def test_the_address_in_the_answer_is_the_one_the_request_came_to(caller: Caller):
    named = await caller.post(SPEAK, {"text": "a"}, headers={"Host": "voices.example:8080"})
    odd = await caller.post(SPEAK, {"text": "a"}, headers={"Host": 'x"><script>'})

    assert re.fullmatch(r"http://voices\.example:8080/files/[\w-]{32}\.wav", named.json["output"])
    assert odd.json["output"].startswith(f"{caller.origin}/files/")


async def test_health_answers_without_a_key(start: StartServer):
    caller = await start(ServerOptions(api_key=KEY))

    answer = await caller.get("/health")

    assert (answer.status, answer.json["status"]) == (200, "ok")


async def test_a_server_that_ends_closes_its_engine(engine: ToneEngine):
    async with serving(create_app(engine)):
        open_while_serving = not engine.closed

    assert open_while_serving
    assert engine.closed
