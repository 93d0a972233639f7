"""Whose kept speech is: the words by which it can be found again when somebody wants it gone."""

from __future__ import annotations


def member_label(member_id: int) -> str:
    """Return the label of speech that this member asked for."""
    return f"member {member_id}"


def voice_label(voice_id: str) -> str:
    """Return the label of speech in this saved voice, or likeness."""
    return f"voice {voice_id}"


def recording_label(sha256: str) -> str:
    """Return the label of speech that was cloned from the recording with this hash."""
    return f"recording {sha256}"


def speech_label(key: str) -> str:
    """Return the label of the speech that is kept under ``key``, for one that is to go alone."""
    return f"speech {key}"
