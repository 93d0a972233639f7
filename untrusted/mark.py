"""Our own mark in a sound file, found in the bytes of a stranger's without taking them apart.

What is made here says so in a tag: RIFF INFO in a WAV, a Vorbis comment in FLAC and Ogg, ID3 in an MP3. Each
holds the words as they are, in UTF-8 or UTF-16, and so do the tags of MP4 and Matroska, into which FFmpeg
copies them. So the words are looked for, wherever they stand.
"""

from __future__ import annotations

from typing import Final

MARK: Final = "AI-generated voice"
"""How the comment in every file of ours begins."""

_FORMS: Final = tuple(MARK.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
_KEPT: Final = max(map(len, _FORMS)) - 1


class MarkReader:
    """Reader of our mark in a file that comes in pieces; it holds no more than the end of one of them."""

    def __init__(self) -> None:
        self.has_mark = False
        """Whether it was in what was read so far."""
        self._end = b""

    def read(self, piece: bytes) -> None:
        """Look through the next piece of the file."""
        if not self.has_mark:
            looked_at = self._end + piece
            self.has_mark = any(form in looked_at for form in _FORMS)
            self._end = looked_at[-_KEPT:]
