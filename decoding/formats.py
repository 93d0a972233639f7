"""Recognises the kinds of recording we read, by their first bytes alone.

A name or a content type is whatever its sender says. The kind found here is forced on the decoder, so
that playlists, session descriptions and other text that tells FFmpeg to open something else is never
read as such, whatever it is called.
"""

from __future__ import annotations

from typing import Final

_SIGNATURES: Final = (
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"\x1aE\xdf\xa3", "matroska"),  # WebM as well
    (b"ID3", "mp3"),
)


def recording_format(data: bytes) -> str | None:
    """Return FFmpeg's name for the container, or None when these bytes are no recording we read."""
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return "wav"
    if data[4:8] == b"ftyp":
        return "mov"  # MP4 and M4A as well
    return _bare_frames(data)


def _bare_frames(data: bytes) -> str | None:
    """Return the format of a stream that starts with a frame header and no container at all."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return None
    layer = (data[1] >> 1) & 0b11
    if layer == 0 and data[1] & 0xF0 == 0xF0:
        return "aac"  # ADTS
    bitrate, rate = data[2] >> 4, (data[2] >> 2) & 0b11
    return "mp3" if layer != 0 and bitrate != 0b1111 and rate != 0b11 else None
