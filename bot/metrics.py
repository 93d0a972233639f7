"""Metrics: what this process has done since it started, counted where it happens.

Each function is called by whoever knows of one event, and costs a few millionths of a second. What *is* at
this moment (queues, limits, connections) is not counted but asked when somebody looks, see `bot.monitor`.
No figure names a server, a member or a voice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which no query of ours asks for

EVENTS: Final = CollectorRegistry(auto_describe=False)
"""Everything that is counted here."""

ProcessCollector(registry=EVENTS)

_TO_SOUND: Final = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0)
_OF_DATABASE: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

_first_sound = Histogram(
    "myna_first_sound_seconds",
    "From a command to the first sound that can be heard, with joining the voice channel.",
    ["kept"],
    buckets=_TO_SOUND,
    registry=EVENTS,
)
_generation = Histogram(
    "myna_generation_seconds",
    "From a request to the whole speech, where it was made anew.",
    buckets=(0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0, 120.0, 300.0),
    registry=EVENTS,
)
_generations = Counter(
    "myna_generations", "Requests for speech by how they ended.", ["outcome", "voice"], registry=EVENTS
)
_speech = Counter(
    "myna_speech_seconds", "Seconds of speech that were given, made anew or kept.", ["kept"], registry=EVENTS
)
_calls = Counter("myna_tts_calls", "Calls of the TTS gateway by outcome.", ["outcome"], registry=EVENTS)
_call_seconds = Histogram(
    "myna_tts_call_seconds",
    "How long the TTS gateway took for calls that it carried out.",
    buckets=_TO_SOUND,
    registry=EVENTS,
)
_call_waits = Histogram(
    "myna_tts_call_wait_seconds",
    "How long calls waited for their turn in our queue.",
    buckets=(0.005, 0.05, *_TO_SOUND),
    registry=EVENTS,
)
_refusals = Counter(
    "myna_budget_refusals",
    "Requests that a limit on new speech stopped, or cut short.",
    ["whose"],
    registry=EVENTS,
)
_voice_joins = Histogram(
    "myna_voice_join_seconds",
    "How long it took to join a voice channel, or to fail at it.",
    ["outcome"],
    buckets=(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
    registry=EVENTS,
)
_voice_closes = Counter(
    "myna_voice_closes", "Ends of voice websockets by Discord's close code.", ["code"], registry=EVENTS
)
_database = Histogram(
    "myna_database_seconds",
    "How long transactions took, with waiting for a connection.",
    buckets=_OF_DATABASE,
    registry=EVENTS,
)
_database_errors = Counter(
    "myna_database_errors", "Transactions that the database did not carry out.", ["error"], registry=EVENTS
)
_loop_lag = Histogram(
    "myna_loop_lag_seconds",
    "How late the event loop was with what it was to do.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0),
    registry=EVENTS,
)

VOICE_KINDS: Final = ("none", "starter", "cloned", "designed", "cast", "likeness", "recording", "several")
"""Who speaks: nobody who is named, a kind of saved voice, a voice of /clone, a bare recording, a dialogue."""

_EXPECTED: Final = (
    (_first_sound, ("yes", "no")),
    (_calls, ("answered", "busy", "server", "unreachable", "no_answer", "credit", "denied", "quota")),
    (_refusals, ("member", "shared")),
    (_database_errors, ("unreachable", "busy", "full", "other")),
)
for _family, _labels in _EXPECTED:
    for _label in _labels:
        _family.labels(_label)  # 0 from the start on: else Prometheus would not see the first of each
for _kind in VOICE_KINDS:
    _generations.labels("made", _kind)
    _generations.labels("kept", _kind)


def sound_began(seconds: float, *, is_kept: bool) -> None:
    """Count that somebody heard the first sound so long after asking."""
    _first_sound.labels(_yes_or_no(is_kept)).observe(seconds)


def generation_ended(voice: str, seconds: float, speech_seconds: float, *, is_kept: bool) -> None:
    """Count speech of ``speech_seconds`` that was whole so long after somebody had asked for it."""
    _generations.labels("kept" if is_kept else "made", voice).inc()
    _speech.labels(_yes_or_no(is_kept)).inc(speech_seconds)
    if not is_kept:
        _generation.observe(seconds)


def generation_failed(voice: str, error: BaseException | None) -> None:
    """Count a request that brought no speech; ``error`` None: whoever asked for it let go of it."""
    _generations.labels("dropped" if error is None else word_for(error), voice).inc()


@contextmanager
def tts_call() -> Iterator[None]:
    """Count the call of the TTS gateway that is made inside, by how it ends."""
    began = monotonic()
    try:
        yield
    except BaseException as error:
        _calls.labels(word_for(error)).inc()
        raise
    _calls.labels("answered").inc()
    _call_seconds.observe(monotonic() - began)


def tts_call_waited(seconds: float) -> None:
    """Count that a call got its turn after so long."""
    _call_waits.observe(seconds)


def budget_refused(*, is_members: bool) -> None:
    """Count speech that a limit stopped: one of the member who asked, or one of more than them."""
    _refusals.labels("member" if is_members else "shared").inc()


@contextmanager
def voice_join() -> Iterator[None]:
    """Count the joining of a voice channel that happens inside."""
    began, outcome = monotonic(), "joined"
    try:
        yield
    except BaseException as error:
        outcome = word_for(error)
        raise
    finally:
        _voice_joins.labels(outcome).observe(monotonic() - began)


def voice_closed(code: int | None) -> None:
    """Count the end of a voice websocket; ``code`` None: it ended without one."""
    is_known = code is not None and (1_000 <= code < 1_020 or 4_000 <= code < 4_100)
    _voice_closes.labels("none" if code is None else str(code) if is_known else "other").inc()


def database_answered(seconds: float) -> None:
    """Count a transaction."""
    _database.observe(seconds)


def database_failed(error: BaseException) -> None:
    """Count a transaction that failed."""
    _database_errors.labels(word_for(error)).inc()


def loop_was_late(seconds: float) -> None:
    """Count how late the event loop was, looked at now and then."""
    _loop_lag.observe(seconds)


_NOT_THE_KIND: Final = re.compile(r"^(TTS|Library|Playback)(?=[A-Z])|Error$")
_BETWEEN_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def word_for(error: BaseException) -> str:
    """Return the word that stands for a kind of error in the figures: ``TTSNoAnswerError`` is "no_answer"."""
    name = _NOT_THE_KIND.sub("", type(error).__name__)
    return _BETWEEN_WORDS.sub("_", name).lower() or "other"


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
