"""Every exception of ours, where each one stands, and what a member reads of it.

SpeechBotError
├── SettingsError                a setting is missing or wrong; its text is the cure
├── DataFolderError              the data folder, or a file in it, cannot be used; its text is the cure
├── NotDiscordError              something else answers in Discord's place
├── MemberError                  the member asked for something that cannot be done now
│   ├── NameTakenError           another voice here has that name
│   ├── UsageLimitError          no more speech is made for a while
│   ├── NoRecordingPlaceError    no private place from which the TTS gateway gets a voice's recording
│   └── RecordingError           this file is no recording of speech that we can use
├── AudioError                   sound that we cannot read or make; a stranger's is a RecordingError
├── PlaybackError                the voice channel could not be joined or was lost
│   └── PlaybackLimitedError     ... because Discord limits our voice connections for a while
├── LibraryError                 what we keep cannot be read or written; nothing is half-saved
│   ├── LibraryUnreachableError  ... because the server of the database does not answer, or not yet
│   ├── LibraryBusyError         ... because something else holds the database for too long
│   ├── LibraryFullError         ... because the disk is full
│   ├── LibraryLimitError        ... because the data folder may hold no more
│   ├── DamagedDatabaseError     ... because the file of the database is damaged
│   └── OtherDatabaseError       ... because the database is not the one of this DATA_DIR
└── TTSError                     the TTS gateway gave us no usable audio
    ├── TTSUnreachableError      nothing was sent, so it is tried again
    ├── TTSNoAnswerError         sent, then silence: it may have been billed, never tried again
    ├── TTSPayloadError          a success whose body is not what the contract says
    │   └── TTSUnusableAudioError    a success whose sound cannot be played: broken, silent, endless
    ├── TTSFetchError            the audio was made but could not be downloaded
    └── TTSStatusError           any other status
        ├── TTSRejectedError     400, 413, 422: this text
        │   └── TTSReferenceError    ... or this reference audio
        │       └── TTSSavedVoiceError   ... which is that of a saved voice: nobody has just given it
        ├── TTSDeniedError       401, 403: our key
        │   └── TTSQuotaError    403 that means: later, when the quota is filled again
        ├── TTSCreditError       402: our credit
        ├── TTSBusyError         429, 503: tried again, a 503 only if it names a time
        └── TTSServerError       every other 5xx
"""

from __future__ import annotations


class SpeechBotError(Exception):
    """The root of this tree."""


class SettingsError(SpeechBotError):
    """A setting is missing or wrong. The text says which one and how to mend it."""


class DataFolderError(SpeechBotError):
    """The data folder, or a file in it, cannot be used. The text says which and what to do about it."""


class NotDiscordError(SpeechBotError):
    """Something that is not Discord answers in its place, such as the login page of a network."""


class MemberError(SpeechBotError):
    """What the member asked for cannot be done now. The text is the sentence they read."""


class NameTakenError(MemberError):
    """Another voice of this server has that name, or one that people take for the same."""


class UsageLimitError(MemberError):
    """A limit on the speech that is made is reached. The text says which, and when it goes on.

    ``is_members``: it is a limit of the member who asks, and others may still have speech.
    """

    def __init__(self, text: str, *, is_members: bool = False) -> None:
        super().__init__(text)
        self.is_members = is_members


class NoRecordingPlaceError(MemberError):
    """There is no private place for the recording of a saved voice. The text says what to set."""


class RecordingError(MemberError):
    """This file is no recording of speech that we can use. The text says why, and the cure."""


class AudioError(SpeechBotError):
    """Sound cannot be read or made: another's that we do not accept, or our own. The text is for the log."""


class PlaybackError(SpeechBotError):
    """The voice channel could not be joined, or the connection was lost for good."""


class PlaybackLimitedError(PlaybackError):
    """Discord limits our voice connections; joining again at once would make it worse."""


class LibraryError(SpeechBotError):
    """What we keep cannot be read or written, and nothing is half-saved. The text is for the operator."""


class LibraryUnreachableError(LibraryError):
    """The server of the database does not answer, or not yet."""


class LibraryBusyError(LibraryError):
    """Something else has held the database for longer than we wait."""


class LibraryFullError(LibraryError):
    """There is no room left on the disk."""


class LibraryLimitError(LibraryError):
    """What is kept already takes all that the operator allows."""


class DamagedDatabaseError(LibraryError):
    """The file of the database is damaged. The text names the newest backup and what to type."""


class OtherDatabaseError(LibraryError):
    """The database is not the one that the recordings belong to. The text says which settings to look at."""


class TTSError(SpeechBotError):
    """The TTS gateway gave us no usable audio. The text is for the log and holds no secret."""

    @property
    def retryable(self) -> bool:
        """Whether it may be tried again, because it was surely not carried out."""
        return False


class TTSUnreachableError(TTSError):
    """Nothing was sent: name not found, connection refused, TLS failed, connect timed out."""

    @property
    def retryable(self) -> bool:
        """Whether it may be tried again: always."""
        return True


class TTSNoAnswerError(TTSError):
    """The request was sent and no whole answer came back: it may have been carried out and billed."""


class TTSPayloadError(TTSError):
    """A success whose body is not what the contract says."""


class TTSUnusableAudioError(TTSPayloadError):
    """A success whose sound cannot be used: broken, silent, or far too long for its text."""


class TTSFetchError(TTSError):
    """The audio was made, but it could not be downloaded."""


class TTSStatusError(TTSError):
    """A status other than 200. ``retry_after`` is in seconds where the answer named a time."""

    def __init__(self, status: int, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(f"status {status}: {detail}" if detail else f"status {status}")
        self.status = status
        self.detail = detail
        self.retry_after = retry_after


class TTSRejectedError(TTSStatusError):
    """The TTS gateway refused this text."""


class TTSReferenceError(TTSRejectedError):
    """The TTS gateway could not reach or could not use this reference audio."""


class TTSSavedVoiceError(TTSReferenceError):
    """... and it is that of a saved voice or a starter, at two addresses."""


class TTSDeniedError(TTSStatusError):
    """The TTS gateway refused our key."""


class TTSQuotaError(TTSDeniedError):
    """A 403 that means later: the call volume quota is used up until ``retry_after``."""


class TTSCreditError(TTSStatusError):
    """The balance behind our key is used up."""


class TTSBusyError(TTSStatusError):
    """The TTS gateway is busy. Of 503 only one that names a time says that nothing was carried out."""

    @property
    def retryable(self) -> bool:
        """Whether it may be tried again, because it was surely not carried out."""
        return self.status != 503 or self.retry_after is not None


class TTSServerError(TTSStatusError):
    """The TTS gateway failed."""


_SENTENCES: dict[type[BaseException], str] = {
    SpeechBotError: "Something went wrong on my side. I've logged it.",
    AudioError: "I couldn't make the sound. Try again in a moment.",
    PlaybackError: "I lost the voice channel. Try again, or choose output: here.",
    PlaybackLimitedError: (
        "Discord is limiting my voice connections. Try again in a minute, or choose output: here."
    ),
    LibraryError: ("I can't reach my database right now. Nothing was changed. Try again in a minute."),
    LibraryBusyError: "My database is busy right now. Nothing was changed. Try again in a minute.",
    LibraryFullError: ("My disk is full, so nothing was changed. Tell whoever runs this bot."),
    LibraryLimitError: (
        "I can't keep any more recordings. Delete a voice you no longer need with /voice delete, or tell "
        "whoever runs this bot."
    ),
    TTSError: "The voice service failed. Try again in a moment.",
    TTSUnreachableError: "I can't reach the voice service right now. Try again in a few minutes.",
    TTSNoAnswerError: "The voice service took too long. Try again, or try a shorter text.",
    TTSPayloadError: "The voice service sent something I can't use. Try again in a moment.",
    TTSUnusableAudioError: "The voice service sent sound I can't play. Try again.",
    TTSFetchError: "The speech was made, but I couldn't download it. Try again in a moment.",
    TTSRejectedError: "The voice service rejected this text. Try other words.",
    TTSReferenceError: (
        "The voice service couldn't use that recording. Upload it again: one person speaking, "
        "without music, 3 to 60 seconds."
    ),
    TTSSavedVoiceError: (
        "The voice service couldn't use the recording of that voice. Try again in a minute, or choose "
        "another voice."
    ),
    TTSDeniedError: "The voice service rejected my key. Whoever runs this bot needs to check it.",
    TTSCreditError: "I'm out of voice credit. Whoever runs this bot needs to top it up.",
}
RESTARTING = "I'm restarting. Try again in a minute."
RESTARTED = "I was restarted before this was done. Try again."
REST_IS_MISSING = "The rest is missing"
"""How the words under speech begin that breaks off, see `bot.models.Speech`."""

_COULD_NOT_BE_MADE = ": I couldn't make it. Try again to get all of it."

_UNKNOWN = "Something went wrong on my side. I've logged it."


def sentence_for(error: BaseException) -> str:
    """Return what a member should read about ``error``. It never shows the error's own text,

    except for `MemberError`, whose text is that sentence.
    """
    if isinstance(error, MemberError):
        return str(error)
    if isinstance(error, TTSQuotaError):
        return f"The voice service has reached its quota. It's back {_later(error.retry_after)}."
    if isinstance(error, TTSBusyError):
        return f"The voice service is busy. Try again {_later(error.retry_after)}."
    for kind in type(error).__mro__:
        if kind in _SENTENCES:
            return _SENTENCES[kind]
    return _UNKNOWN


def rest_is_missing(why: str) -> str:
    """Return the words under speech that breaks off; ``why`` is a sentence if there is more to say of it."""
    return f"{REST_IS_MISSING}{f'. {why}' if why else _COULD_NOT_BE_MADE}"


def _later(seconds: float | None) -> str:
    if seconds is None:
        return "in a moment"
    if seconds < 90:
        return f"in {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"in about {round(seconds / 60)} minutes"
    return f"in about {round(seconds / 3600)} hours"
