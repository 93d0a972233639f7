"""How long a sound file is, and of which format."""

from __future__ import annotations

from io import BytesIO

import av

from rehearsal.voice.voice_message import NoSoundError


def format_and_seconds(data: bytes) -> tuple[str, float]:
    """Return the format (``mp3``, ``ogg``, …) and the length when decoded.

    Takes processor time; call it in a thread. Raises `NoSoundError`.
    """
    seconds = 0.0
    try:
        with av.open(BytesIO(data), "r") as container:
            for frame in container.decode(audio=0):
                seconds += frame.samples / frame.sample_rate
            name = container.format.name
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise NoSoundError(f"no sound can be read from it ({type(error).__name__})") from error
    if not seconds:
        raise NoSoundError("there is no sound in it")
    return name, seconds
