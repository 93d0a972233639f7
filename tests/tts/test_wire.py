import contextlib
import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.errors import TTSError, TTSPayloadError
from bot.limits import MAX_ANSWER_BYTES
from bot.models import ReferenceAudio, SpeechRequest
from bot.settings import Secret
from bot.tts import wire
from bot.tts.wire import AudioAt, Pending, Refused, error_detail, read_answer
from tests.fakes.error_answers import error_bodies
from tests.tts.conftest import KEY, calm

U = "https://pub-1.r2.dev/a.wav"
V = "https://pub-1.r2.dev/b.wav"


def answer(value) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ({"output": U}, U),
        ({"url": U, "audio_url": U, "sample_rate": 48000, "elapsed_s": 2.3, "status": "done"}, U),
        ({"url": V, "audio_url": U}, U),
        ({"url": U, "audio_url": None}, U),
        ({"url": U, "audio_url": 7}, U),
        ({"url": V, "output": U}, V),
        ({"output": [U, V]}, U),
        ({"output": {"url": U}}, U),
        ({"output": [{"url": U}]}, U),
        ({"audio": [{"url": U}, {"url": V}]}, U),
        ({"audio": {"url": U}}, U),
        ({"output": {"media_url": [U]}, "request_id": "r", "status": "COMPLETED"}, U),
        ({"output": {"media_url": U}}, U),
        ({"output_url": U}, U),
        ({"output": None, "audio": [], "output_url": U}, U),
        ({"statusCode": 200, "output": U}, U),
        ({"output": f"  {U}\n"}, U),
    ],
    ids=str,
)
def test_every_shape_of_a_success_gives_its_address(body, url):
    assert read_answer(answer(body)) == AudioAt(url)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"request_id": "ab-12", "status": "QUEUED"}, "/v2/requests/status/ab-12"),
        ({"request_id": "ab-12", "polling_url": "/v1/status/9"}, "/v1/status/9"),
        ({"polling_url": "https://t.example/p", "status": "PROCESSING"}, "https://t.example/p"),
        ({"polling_url": "/p", "status": "in-progress", "url": U}, "/p"),
        ({"status": "queued"}, None),
        ({"status": "queued", "url": U}, None),
        ({"status": "queued", "request_id": "../../admin"}, None),
    ],
    ids=str,
)
def test_a_promise_says_where_to_ask(body, path):
    assert read_answer(answer(body)) == Pending(path)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"StatusCode": 401, "message": "invalid key"}, Refused(401, "invalid key")),
        ({"statusCode": 429, "message": "slow down"}, Refused(429, "slow down")),
        ({"status_code": "402", "detail": "no money"}, Refused(402, "no money")),
        ({"status": 503}, Refused(503, "")),
        ({"error": {"code": 403, "message": "no"}}, Refused(403, "no")),
        ({"StatusCode": 401, "output": U}, Refused(401, "")),
        ({"status": "FAILED", "error": "out of memory"}, Refused(500, "out of memory")),
        ({"status": "error", "output": U}, Refused(500, "error")),
        ({"error": {"message": "the model is ill"}}, Refused(500, "the model is ill")),
    ],
    ids=str,
)
def test_an_error_inside_a_success_is_read_as_that_error(body, refused):
    assert read_answer(answer(body)) == refused


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        True,
        7,
        U,
        [{"output": U}],
        {"output": None},
        {"output": ""},
        {"output": 7},
        {"output": True},
        {"output": "take.wav"},
        {"output": "file:///etc/passwd"},
        {"output": "ftp://pub-1.r2.dev/a.wav"},
        {"output": {"url": {"url": U}}},
        {"audio": [[U]]},
        {"status": "done"},
        {"status": "COMPLETED", "request_id": "ab"},
        {"request_id": "../../admin"},
        {"request_id": 7},
        {"url": U, "audio_url": "https://pub-2.r2.dev/a.wav"},
        {"url": U, "audio_url": "http://pub-1.r2.dev/a.wav"},
        {"url": U, "audio_url": "https://[bad/a.wav"},
        {"output": "https://pub-1.r2.dev/" + "a" * 2_048},
        {"polling_url": "/" + "a" * 5_000},
    ],
    ids=lambda body: str(body)[:60],
)
def test_a_success_without_a_usable_address_is_refused(body):
    with pytest.raises(TTSPayloadError):
        read_answer(answer(body))


field_names = (
    st.sampled_from(
        ["output", "url", "audio_url", "audio", "media_url", "output_url", "status", "statusCode"]
    )
    | st.sampled_from(["error", "code", "request_id", "polling_url", "message", "detail"])
    | st.text(max_size=3)
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(U) | st.just("https://["),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(field_names, inner, max_size=6),
    max_leaves=20,
)


@pytest.mark.slow
@calm
@given(json_values)
@example({"message": {"message": {"message": {"message": {"message": "deep"}}}}})
def test_no_json_raises_anything_but_our_own_error(value):
    body = json.dumps(value).encode()
    try:
        outcome = read_answer(body)
    except TTSError:
        outcome = None

    assert outcome is None or isinstance(outcome, (AudioAt, Pending, Refused))
    assert len(error_detail(body)) <= 200


@calm
@given(st.binary())
def test_no_bytes_raise_anything_but_our_own_error(body):
    try:
        outcome = read_answer(body)
    except TTSError:
        outcome = None

    assert outcome is None or isinstance(outcome, (AudioAt, Pending, Refused))
    assert error_detail(body).isprintable()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MAX_ANSWER_BYTES,
        b'{"error":' * 7_000,
        b'{"a":[' + b'{"b":1},' * 8_000 + b"0]}",
        b'{"e": ' + b"9" * 65_000 + b"}",
        b"<" * MAX_ANSWER_BYTES,
        b"<script>" * 8_000,
        b"<style " * 9_000,
        b"</script>" * 7_000,
        b"<style></style>" * 4_000,
        b"&" * MAX_ANSWER_BYTES,
        b"&#x" + b"9" * 65_000,
        KEY[:8].encode() * 8_000,
    ],
    ids=range(12),
)
def test_the_worst_bodies_hold_the_loop_for_less_than_a_tenth_of_a_second(body):
    best = min(_seconds_for(body) for _ in range(3))  # the machine may be busy; the code must not be

    assert best < 0.1


def _seconds_for(body: bytes) -> float:
    started = time.thread_time()  # not what others did meanwhile
    with contextlib.suppress(TTSPayloadError):
        read_answer(body)
    error_detail(body, Secret(KEY))
    return time.thread_time() - started


def test_an_answer_of_the_largest_size_is_read_and_one_byte_more_is_not():
    body = answer({"output": U})
    fitting = body + b" " * (MAX_ANSWER_BYTES - len(body))

    assert read_answer(fitting) == AudioAt(U)
    with pytest.raises(TTSPayloadError):
        read_answer(fitting + b" ")


def test_text_to_speech_sends_text_guidance_and_steps():
    body = wire.speech_body(SpeechRequest("Hello"), guidance=2.5, steps=12)

    assert json.loads(body) == {"text": "Hello", "cfg_value": 2.5, "dit_steps": 12}


@pytest.mark.parametrize(
    ("guidance", "steps", "sent"),
    [(0.0, 0, (1.0, 4)), (99.0, 99, (3.0, 30)), (1.6, 20, (1.6, 20)), (None, None, (2.0, 10))],
)
def test_guidance_and_steps_of_the_request_win_and_stay_within_their_limits(guidance, steps, sent):
    request = SpeechRequest("Hello", guidance=guidance, steps=steps)

    fields = json.loads(wire.speech_body(request, guidance=2.0, steps=10))

    assert (fields["cfg_value"], fields["dit_steps"]) == sent


def test_cloning_sends_neither_guidance_nor_steps():
    request = SpeechRequest("Hello", guidance=2.0, steps=10)

    body = wire.cloning_body(request, ReferenceAudio(U, "what is said"))

    assert json.loads(body) == {
        "text": "Hello",
        "reference_audio_url": U,
        "prompt_text": "what is said",
    }


def test_a_style_keeps_the_transcript_at_home():
    request = SpeechRequest("Hello", style="slow")

    body = wire.cloning_body(request, ReferenceAudio(U, "what is said"))

    assert json.loads(body) == {"text": "(slow)Hello", "reference_audio_url": U}


def test_characters_of_any_script_arrive_unchanged():
    text = "Grüße, 你好, שלום 🦜"

    assert json.loads(wire.speech_body(SpeechRequest(text), guidance=2, steps=10))["text"] == text


@pytest.mark.parametrize("form", [name for name in error_bodies(400, "x") if name not in ("nothing",)])
def test_every_form_of_an_error_body_gives_its_text(form):
    body = error_bodies(400, "The text is too long.")[form].body
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else answer(body)

    detail = error_detail(data)

    assert ("The text is too long." in detail) or form == "broken json"


def test_fastapi_lists_and_azure_ids_are_understood():
    fastapi = answer({"detail": [{"loc": ["body", "text"], "msg": "field required"}]})
    azure = answer({"statusCode": 500, "message": "Internal server error", "activityId": "0-0"})

    assert error_detail(fastapi) == "field required"
    assert error_detail(azure) == "Internal server error"


def test_a_page_of_html_becomes_one_short_line_of_text():
    page = b"<style>b{}</style><script>x()</script><h1>502&nbsp;Bad\r\nGateway</h1>" + b"<p>y</p>" * 999

    detail = error_detail(page)

    assert detail.startswith("502 Bad Gateway y y")
    assert len(detail) == 200


def test_control_characters_do_not_reach_the_log():
    assert error_detail(answer({"message": "a\x1b[31m\r\nb\u202e\x00c"})) == "a [31m b c"


@pytest.mark.parametrize(
    ("body", "health"),
    [
        (
            b'{"status": "ok", "credit": " joe, CC0 ", "cloning": []}',
            wire.TTSHealth("joe, CC0", clones=False),
        ),
        (b'{"status": "ok", "credit": "x", "cloning": ["en"]}', wire.TTSHealth("x")),
        (b'{"status": "ok"}', wire.TTSHealth()),
        (b'{"credit": 5, "cloning": null}', wire.TTSHealth()),
        (b"[]", wire.TTSHealth()),
        (b"<html>", wire.TTSHealth()),
        (b"", wire.TTSHealth()),
    ],
)
def test_what_a_tts_gateway_says_of_itself_is_optional(body: bytes, health: wire.TTSHealth) -> None:
    assert wire.read_health(body) == health
