from __future__ import annotations

import inspect
import re

import pytest

from bot import errors
from bot.delivery.reply import progress_line
from bot.errors import sentence_for
from bot.models import Parts, Progress, Stage

CANARY = "canary <@1> @everyone https://x.example"
CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.SpeechBotError) and kind.__module__ == errors.__name__
]
JARGON = re.compile(
    r"\b(API|HTTP|exception|timeout|gateway|None|null|JSON|WAV header|status|traceback)\b", re.IGNORECASE
)


def every_error(kind: type[errors.SpeechBotError]) -> list[errors.SpeechBotError]:
    if issubclass(kind, errors.TTSStatusError):
        waits = (None, 0.0, 0.4, 1.0, 60.0, 89.9, 90.0, 3600.0, 5400.0, 200_000.0)
        return [kind(418, CANARY, retry_after=wait) for wait in waits]
    return [kind(CANARY)]


EVERY = [error for kind in CLASSES if not issubclass(kind, errors.MemberError) for error in every_error(kind)]
EVERY_STRANGER = [
    ValueError(CANARY),
    KeyError(CANARY),
    TimeoutError(CANARY),
    ExceptionGroup(CANARY, [OSError(CANARY)]),
]


def test_the_whole_tree_is_tested() -> None:
    assert len(CLASSES) >= 18
    assert errors.TTSQuotaError in CLASSES


@pytest.mark.parametrize("error", [*EVERY, *EVERY_STRANGER], ids=repr)
def test_every_error_has_one_short_plain_sentence(error: Exception) -> None:
    sentence = sentence_for(error)

    assert 10 < len(sentence) <= 200
    assert sentence.endswith(".")
    assert sentence[0].isupper()
    assert not JARGON.search(sentence)


@pytest.mark.parametrize("error", [*EVERY, *EVERY_STRANGER], ids=repr)
def test_a_sentence_tells_nothing_of_what_the_error_says(error: Exception) -> None:
    sentence = sentence_for(error)

    for word in ("canary", "everyone", "example", "418", type(error).__name__):
        assert word not in sentence


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if issubclass(kind, errors.TTSError)])
def test_a_failure_of_the_voice_service_does_not_read_like_a_fault_of_the_bot(
    kind: type[errors.TTSError],
) -> None:
    for error in every_error(kind):
        assert sentence_for(error) != sentence_for(ValueError())


def test_a_member_error_is_its_own_sentence() -> None:
    assert sentence_for(errors.MemberError("Join a voice channel first.")) == "Join a voice channel first."


def test_a_new_class_inherits_the_sentence_of_its_parent() -> None:
    class NewError(errors.TTSCreditError):
        pass

    assert sentence_for(NewError(402)) == sentence_for(errors.TTSCreditError(402))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "in a moment"),
        (0.2, "in 1 s"),
        (30.4, "in 30 s"),
        (120.0, "in about 2 minutes"),
        (7200.0, "in about 2 hours"),
    ],
)
def test_a_wait_is_said_in_words_of_its_size(seconds: float | None, words: str) -> None:
    busy = errors.TTSBusyError(429, retry_after=seconds)
    quota = errors.TTSQuotaError(403, retry_after=seconds)

    assert sentence_for(busy).endswith(f"Try again {words}.")
    assert words in sentence_for(quota)


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("fraction", [None, 0.0, 0.5, 1.0])
def test_every_stage_has_a_line(stage: Stage, fraction: float | None) -> None:
    line = progress_line(Progress(stage, fraction))

    assert 10 < len(line) <= 60
    assert not JARGON.search(line)


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress(Stage.MAKING), "Making the speech …"),
        (Progress(Stage.MAKING, parts=Parts(2, 5)), "Making the speech, 2 of 5 parts …"),
        (Progress(Stage.MAKING, parts=Parts(0, 3)), "Making the speech, 0 of 3 parts …"),
        (Progress(Stage.WAITING), "Waiting for the voice service …"),
    ],
)
def test_a_line_says_what_is_known(progress: Progress, line: str) -> None:
    assert progress_line(progress) == line
