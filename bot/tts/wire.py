"""The JSON of the TTS gateway: the only file that knows its field names."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final
from urllib.parse import unquote

from yarl import URL

from bot.errors import TTSPayloadError
from bot.limits import (
    MAX_ANSWER_BYTES,
    MAX_GUIDANCE,
    MAX_STEPS,
    MAX_STYLE_CHARS,
    MAX_TRANSCRIPT_CHARS,
    MAX_URL_CHARS,
    MIN_GUIDANCE,
    MIN_STEPS,
)
from bot.models import ReferenceAudio, SpeechRequest
from bot.settings import Secret
from bot.tts.http import without_key
from untrusted import strict_json
from untrusted.strict_json import Json

MAX_DETAIL_CHARS: Final = 200
"""How much of a foreign text goes into our log."""

_UNREAD_BEGINS = re.compile(r"<(?:script|style)\b", re.IGNORECASE)
_UNREAD_ENDS = re.compile(r"</(?:script|style)\b", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


def printable(text: str) -> str:
    """Return ``text`` in one line of at most `MAX_DETAIL_CHARS` printable characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 50 * MAX_DETAIL_CHARS]).split())
    return line[:MAX_DETAIL_CHARS]


def text_of_page(page: str) -> str:
    """Return what a browser would show of ``page``, roughly, in time that grows no faster than it."""
    first, *others = _UNREAD_BEGINS.split(page)
    shown = [first]
    for part in others:
        end = _UNREAD_ENDS.search(part)
        shown.append("<" + part[end.end() :] if end else "")
    return html.unescape(_TAG.sub(" ", "".join(shown)))


_OPENING = "(（﹙⁽₍❨❪⦅｟︵"
_CLOSING = ")）﹚⁾₎❩❫⦆｠︶"
_BRACKETS = re.compile(f"[{re.escape(_OPENING + _CLOSING)}]")


def text_with_style(text: str, style: str | None) -> str:
    """Return what goes out as `text`: ``(style)text``, or the text alone.

    Only what is in ``style`` can act as a style. The model takes a bracket in front of the text for
    a voice description, so a text that begins with one loses its brackets and keeps its words:
    ``(by the way) hello`` goes out as ``by the way, hello``. A style cannot close its own bracket.
    """
    words = _without_leading_brackets(_sendable(text))
    described = " ".join(_BRACKETS.sub(" ", _sendable(style or "")).split())[:MAX_STYLE_CHARS].strip()
    return f"({described}){words}" if described else words


def _sendable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode("utf-8")  # half a surrogate pair is no character


def _without_leading_brackets(text: str) -> str:
    closings = _closings(text)
    start = _visible_from(text, 0)
    ends: list[int] = []
    while text[start : start + 1] and text[start] in _OPENING + _CLOSING:
        if ends and start == ends[-1]:  # nothing was in it
            ends.pop()
            start += 1
        elif start in closings:
            ends.append(closings[start])
            start += 1
        elif text[start] in _OPENING:
            start = len(text) - len(text[start:].lstrip(_OPENING))
        else:
            break
        start = _visible_from(text, start)
    said = ""
    for end in [*reversed(ends), len(text)]:
        said, start = _joined(said, text[start:end].strip() if ends else text[start:end]), end + 1
    return said


def _joined(said: str, more: str) -> str:
    if not said or not more:
        return said or more
    return f"{said}, {more}" if said[-1].isalnum() and more[0].isalnum() else f"{said} {more}"


def _closings(text: str) -> dict[int, int]:
    """Return where each opening bracket that is closed at all is closed; any closes any."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for index, character in enumerate(text):
        if character in _OPENING:
            opened.append(index)
        elif character in _CLOSING and opened:
            found[opened.pop()] = index
    return found


def _visible_from(text: str, index: int) -> int:
    while index < len(text) and unicodedata.category(text[index]) in ("Cc", "Cf", "Zs", "Zl", "Zp", "Mn"):
        index += 1
    return index


_WAITING = {"queued", "pending", "processing", "in_progress", "running", "starting", "submitted"}
_DONE = {"done", "completed", "complete", "succeeded", "success", "finished"}
_FAILED = {"failed", "failure", "error", "cancelled", "canceled", "rejected", "expired"}
_ERROR_STATUS = re.compile(r"[45]\d\d", re.ASCII)
_ESCAPED_CODE = re.compile(r"(?<!\\)\\++(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_ESCAPED_SPACE = re.compile(r"(?<!\\)\\++[nrtbf]")
_TELLING_CHARS = 4
"""A word that was sent is known inside another one from this length on."""
_PART_CHARS = 3
"""A part of a word that was sent is known from this length on; shorter ones are in every other word."""
_REQUEST_ID = re.compile(r"[\w-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AudioAt:
    """The speech is finished and lies at ``url``."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """The speech is still being made. ``progress_path`` is where to ask, relative or absolute,

    or None if the answer does not say; the answers to such a question need not.
    """

    progress_path: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """A success that says inside that it is none. ``status`` is the one it names."""

    status: int
    detail: str


Answer = AudioAt | Pending | Refused


def speech_body(request: SpeechRequest, *, guidance: float, steps: int) -> bytes:
    """Return the body for `text-to-speech`. ``guidance`` and ``steps`` serve where the request has none."""
    guidance = guidance if request.guidance is None else request.guidance
    steps = steps if request.steps is None else request.steps
    return _body(
        text=text_with_style(request.text, request.style),
        cfg_value=min(MAX_GUIDANCE, max(MIN_GUIDANCE, guidance)),
        dit_steps=min(MAX_STEPS, max(MIN_STEPS, steps)),
    )


def cloning_body(request: SpeechRequest, reference: ReferenceAudio) -> bytes:
    """Return the body for `voice-cloning`.

    With a transcript the model continues the recording and would read a style aloud, so a style
    keeps the transcript at home. Guidance and steps are not documented there and not sent.
    """
    fields = {
        "text": text_with_style(request.text, request.style),
        "reference_audio_url": reference.url,
    }
    if reference.transcript and not request.style:
        fields["prompt_text"] = reference.transcript[:MAX_TRANSCRIPT_CHARS]
    return _body(**fields)


def _body(**fields: str | float | int) -> bytes:
    return json.dumps(fields).encode("ascii")


def read_answer(body: bytes) -> Answer:
    """Return what a successful answer says. Raises `TTSPayloadError`, and nothing else.

    The documented shapes and those that the provider's other pages show, in this order:
    `audio_url`, `url`, `output` (text, list or object), `audio[0].url`, `output.media_url[0]`,
    `output_url`; and without any of them a promise, `polling_url` or `request_id`.
    """
    answer = _parsed(body)
    inner = _status_inside(answer)
    if inner is not None:
        return Refused(inner, _message(answer))
    state = _lowered(answer.get("status"))
    if state in _FAILED:
        return Refused(500, _message(answer) or state)
    audio_url = None if state in _WAITING else _audio_url(answer)
    if audio_url is not None:
        return AudioAt(audio_url)
    progress_path = None if state in _DONE else _progress_path(answer)
    if progress_path is None and state not in _WAITING:
        if answer.get("error"):
            return Refused(500, _message(answer))
        raise TTSPayloadError("an answer names neither audio nor a place to ask for it")
    return Pending(progress_path)


@dataclass(frozen=True, slots=True)
class TTSHealth:
    """What a TTS gateway says of itself: ``credit`` names its models, ``clones`` whether it clones voices.

    Only ours says so; of others the best is thought.
    """

    credit: str = ""
    clones: bool = True


def read_health(body: bytes) -> TTSHealth:
    """Return what the answer to GET /health says; it never raises."""
    try:
        health = strict_json.parse(body[:MAX_ANSWER_BYTES])
    except ValueError:
        return TTSHealth()
    if not isinstance(health, dict):
        return TTSHealth()
    return TTSHealth(printable(_text(health.get("credit")) or ""), health.get("cloning") != [])


def error_detail(body: bytes, api_key: Secret | None = None) -> str:
    """Return what an error answer says, in one line of at most 200 printable characters.

    It understands the bodies of Azure API Management, OpenAI and FastAPI, plain text and HTML, and
    never raises. The key is taken out, should the server have put it in.
    """
    text = body[:MAX_ANSWER_BYTES].decode("utf-8", "replace")
    try:
        value = strict_json.parse(body[:MAX_ANSWER_BYTES])
    except ValueError:
        text = text_of_page(text)
    else:
        text = _message(value)
    return printable(without_key(text, api_key))


def without_words_of(sent: bytes, detail: str) -> str:
    """Return ``detail`` with ``***`` for each word in it that was in ``sent``, the body of our request.

    What a member wants said, and the name of their recording, are nobody's business, and error answers
    like to quote them: whole, cut off, in capitals, or escaped as in JSON, HTML and addresses. The caller
    bounds ``detail``.
    """
    words = {word for is_word, word in _runs(_folded(_strings_in(sent))) if is_word}
    if not words:
        return detail
    whole, telling = " ".join(words), [word for word in words if len(word) >= _TELLING_CHARS]
    shown = []
    for is_word, run in _runs(_unescaped(detail)):
        word = _folded(run)
        is_part = word in words or (word in whole and (len(word) >= _PART_CHARS or not word.isascii()))
        is_said = is_word and (is_part or any(one in word for one in telling))
        shown.append("***" if is_said else run)
    return printable("".join(shown))


def _strings_in(sent: bytes) -> str:
    fields = json.loads(sent) if sent else {}
    return " ".join(value for value in fields.values() if isinstance(value, str))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _runs(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the words of ``text`` and what is between them."""
    for is_word, run in groupby(text, key=lambda char: unicodedata.category(char)[0] in "LMN"):
        yield is_word, "".join(run)


def _unescaped(detail: str) -> str:
    detail = _ESCAPED_CODE.sub(lambda match: chr(int(match[1] or match[2], 16)), detail)
    pairs = detail.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # of JSON
    return unquote(html.unescape(_ESCAPED_SPACE.sub(" ", pairs)), errors="replace")


def _parsed(body: bytes) -> dict[str, Json]:
    if len(body) > MAX_ANSWER_BYTES:
        raise TTSPayloadError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
    try:
        answer = strict_json.parse(body)
    except ValueError as error:
        raise TTSPayloadError(f"an answer of {len(body)} bytes is no JSON: {type(error).__name__}") from None
    if not isinstance(answer, dict):
        raise TTSPayloadError(f"an answer is no JSON object but a {type(answer).__name__}")
    return answer


def _status_inside(answer: dict[str, Json]) -> int | None:
    """Return the error status that a body names: Azure behind a proxy answers 200 with a 401 inside."""
    error = answer.get("error")
    places = [answer, error] if isinstance(error, dict) else [answer]
    for place in places:
        for name, value in place.items():
            if name.lower().replace("_", "") not in ("statuscode", "status", "code"):
                continue
            number = int(value) if isinstance(value, str) and _ERROR_STATUS.fullmatch(value) else value
            if isinstance(number, int) and 400 <= number <= 599:
                return number
    return None


def _audio_url(answer: dict[str, Json]) -> str | None:
    first = [_address_in(answer.get(name)) for name in ("audio_url", "url")]
    if all(first) and _server(first[0]) != _server(first[1]):
        raise TTSPayloadError("audio_url and url are on different servers")
    for found in (*first, *_further_places(answer)):
        if found is not None:
            if len(found) > MAX_URL_CHARS:
                raise TTSPayloadError(f"an audio address of {len(found)} characters")
            return found
    return None


def _further_places(answer: dict[str, Json]) -> list[str | None]:
    output, audio = answer.get("output"), answer.get("audio")
    return [
        _address_in(output),
        _address_in(audio),
        _address_in(output.get("media_url")) if isinstance(output, dict) else None,
        _address_in(answer.get("output_url")),
    ]


def _address_in(value: Json) -> str | None:
    """Return the address in a text, in the first element of a list, or in an object's `url`."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        return _address(value.get("audio_url")) or _address(value.get("url"))
    return _address(value)


def _address(value: Json) -> str | None:
    text = _text(value)
    return text if text is not None and text.lower().startswith(("https://", "http://")) else None


def _progress_path(answer: dict[str, Json]) -> str | None:
    polling_url = _text(answer.get("polling_url"))
    if polling_url is not None and len(polling_url) <= MAX_URL_CHARS:
        return polling_url
    request_id = _text(answer.get("request_id"))
    if request_id is not None and _REQUEST_ID.fullmatch(request_id):
        return f"/v2/requests/status/{request_id}"
    return None


def _message(value: Json, depth: int = 4) -> str:
    """Return the human text of an error body, empty if it has none that we know."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth:
        return "; ".join(filter(None, (_message(inner, depth - 1) for inner in value[:3])))
    if isinstance(value, dict) and depth:
        lowered = {name.lower(): inner for name, inner in value.items()}
        for name in ("message", "error", "detail", "errors", "msg", "title", "reason"):
            text = _message(lowered.get(name), depth - 1)
            if text:
                return text
    return ""


def _text(value: Json) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _lowered(value: Json) -> str:
    return value.strip().lower().replace("-", "_") if isinstance(value, str) else ""


def _server(address: str | None) -> URL:
    try:
        return URL(address or "").origin()
    except ValueError:
        raise TTSPayloadError("an audio address that is none") from None
