"""What a member reads about an error or about progress; no other file holds a sentence for an error."""

from __future__ import annotations

from dataclasses import replace

from bot import errors
from bot.models import Progress, Stage

_SENTENCES: dict[type[BaseException], str] = {
    errors.SpeechBotError: "Something went wrong on my side; it has been logged.",
    errors.AudioError: "That recording cannot be used. Try a WAV, MP3, Ogg, M4A or FLAC file.",
    errors.PlaybackError: "I lost the voice channel. Try again, or ask for the file with to: here.",
    errors.PlaybackLimitedError: (
        "Discord limits my voice connections right now. Try again in a minute, or ask for the file with "
        "to: here."
    ),
    errors.LibraryError: (
        "I cannot reach what I keep about voices right now. Nothing was changed; try again in a minute."
    ),
    errors.LibraryBusyError: "My records are busy right now. Nothing was changed; try again in a minute.",
    errors.LibraryFullError: (
        "My disk is full. Nothing was changed; try again in a minute, and tell my owner if it stays so."
    ),
    errors.TTSError: "The voice service failed. Try again in a moment.",
    errors.TTSUnreachableError: "The voice service cannot be reached right now. Try again in a few minutes.",
    errors.TTSNoAnswerError: "The voice service took too long. Try again, or try a shorter text.",
    errors.TTSPayloadError: "The voice service gave an unexpected answer. Try again in a moment.",
    errors.TTSUnusableAudioError: "The voice service sent sound that cannot be played. Try again.",
    errors.TTSFetchError: "The speech was made but could not be fetched. Try again in a moment.",
    errors.TTSRejectedError: "The voice service refused this text. Try other words.",
    errors.TTSReferenceError: (
        "The voice service could not use that recording. Upload it again: one person speaking, "
        "without music, 3 to 60 seconds."
    ),
    errors.TTSDeniedError: "My access to the voice service does not work. My owner has to look at its key.",
    errors.TTSCreditError: "The voice credit is used up. My owner has to refill it.",
}
RESTARTING = "I am restarting. Try again in a minute."
REST_IS_MISSING = "The rest is missing: it could not be made. Try again to have all of it."
"""For speech that breaks off, see `bot.models.Speech`."""

_STAGES = {
    Stage.WAITING: "Waiting for the voice service …",
    Stage.FETCHING: "Fetching the speech …",
    Stage.PREPARING: "Preparing the sound …",
}
_UNKNOWN = "Something went wrong on my side; it has been logged."


def sentence_for(error: BaseException) -> str:
    """Return what a member should read about ``error``. It never shows the error's own text,

    except for `MemberError`, whose text is that sentence.
    """
    if isinstance(error, errors.MemberError):
        return str(error)
    if isinstance(error, errors.TTSQuotaError):
        return f"The voice service has reached its quota. It is back {_later(error.retry_after)}."
    if isinstance(error, errors.TTSBusyError):
        return f"The voice service is busy. Try again {_later(error.retry_after)}."
    for kind in type(error).__mro__:
        if kind in _SENTENCES:
            return _SENTENCES[kind]
    return _UNKNOWN


def _later(seconds: float | None) -> str:
    if seconds is None:
        return "in a moment"
    if seconds < 90:
        return f"in {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"in about {round(seconds / 60)} minutes"
    return f"in about {round(seconds / 3600)} hours"


def progress_line(progress: Progress) -> str:
    """Return what the member reads while their speech is being made."""
    if progress.generation is not None:
        which = progress.generation
        return f"Take {which.made} of {which.of}. {progress_line(replace(progress, generation=None))}"
    if progress.stage is Stage.FETCHING and progress.fraction is not None:
        return f"Fetching the speech, {progress.fraction:.0%} …"
    if progress.stage is not Stage.MAKING:
        return _STAGES[progress.stage]
    words = ["Making the speech"]
    if progress.parts is not None:
        words.append(f"{progress.parts.made} of {progress.parts.of} parts")
    return f"{', '.join(words)} …"
