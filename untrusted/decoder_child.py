"""The child process that decodes one recording: its bytes on stdin, its form and PCM on stdout.

Started by `decoder.py` by its path, with `-I` and an empty environment; of ours it imports only the walls
(`confinement.py`). Before it reads a single foreign byte it loads all it will need, and then gives up for
good what a decoder does not need: memory and time beyond a bound, files, connections, processes, the rights
of root. From then on it can read stdin, write stdout, and reckon. Where the system lacks one of these walls
it decodes all the same; with the one argument `try` it writes what is left open instead.

Arguments: format, sample rate, most channels (1 or 2), seconds, megabytes of memory, CPU seconds.
Output: the channels (1 byte) and the rate in Hz (4 bytes) of the recording, then as many channels of 16-bit
PCM as were asked for, everything little-endian. Exit codes: see `decoder.py`.
"""

from __future__ import annotations

import io
import itertools
import struct
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer

sys.path.append(str(Path(__file__).parents[1]))  # -I leaves it out

from untrusted.confinement import confine, open_ways

NO_SOUND = 3
UNREADABLE = 4
CUT = 5

TRY = "try"

_DECODERS = (
    "aac", "alac", "flac", "mp3", "mp3float", "opus", "vorbis", "adpcm_ms", "adpcm_ima_wav", "pcm_alaw",
    "pcm_mulaw", "pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_s16be", "pcm_f32le", "pcm_f64le",
)  # fmt: skip
_LAYOUTS = {1: "mono", 2: "stereo"}
_MIN_RATE, _MAX_RATE, _MAX_CHANNELS = 4_000, 384_000, 16
_MAX_IDLE_PACKETS = 50_000  # packets in a row that give no sound


def main(arguments: list[str]) -> int:
    """Decode stdin to stdout, and return the exit code."""
    if arguments == [TRY]:
        return _say_what_is_open()
    container_format = arguments[0]
    rate, channels, seconds, megabytes, cpu_seconds = map(int, arguments[1:])
    load_and_confine(megabytes, cpu_seconds)
    try:
        data = sys.stdin.buffer.read()
        return _decode(data, container_format, rate, channels, seconds)
    except (av.FFmpegError, ValueError, MemoryError):
        return UNREADABLE


def load_and_confine(megabytes: int, cpu_seconds: int) -> None:
    """Load what decoding needs, and put up the walls: from here on nothing else can be had."""
    _load_all_of_pyav()
    confine(megabytes=megabytes, cpu_seconds=cpu_seconds)


def _say_what_is_open() -> int:
    """Write the ways that the walls leave open on this system, a line each."""
    import socket  # noqa: F401 - for the try; it cannot be loaded behind the walls

    load_and_confine(megabytes=768, cpu_seconds=10)
    sys.stdout.write("".join(f"{way}\n" for way in open_ways()))
    return 0


def _load_all_of_pyav() -> None:
    """Decode a recording of our own: PyAV imports some of itself only then, and later it cannot."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, 8_000, 0, "NONE", ""))
        wav.writeframes(bytes(1_600))
    with av.open(io.BytesIO(file.getvalue()), "r", format="wav") as container:
        _write(_frames(container, container.streams.audio[0]), io.BytesIO(), 48_000, 1, 48_000)


def _decode(data: bytes, container_format: str, rate: int, channels: int, seconds: int) -> int:
    options = {
        "protocol_whitelist": "",
        "format_whitelist": f"{container_format},mov,mp4,m4a,matroska,webm",
        "codec_whitelist": ",".join(_DECODERS),
    }
    with av.open(io.BytesIO(data), "r", format=container_format, options=options) as container:
        if not container.streams.audio:
            return NO_SOUND
        stream = container.streams.audio[0]
        context = stream.codec_context
        if context.name not in _DECODERS or not _MIN_RATE <= context.rate <= _MAX_RATE:
            return UNREADABLE
        if not 0 < context.channels <= _MAX_CHANNELS:
            return UNREADABLE
        context.thread_count = 1
        return _write(_frames(container, stream), sys.stdout.buffer, rate, channels, seconds * rate)


def _frames(container: InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    idle = 0
    for packet in container.demux(stream):
        idle += 1
        for frame in _decoded(packet):
            idle = 0
            yield frame
        if idle > _MAX_IDLE_PACKETS:
            return


def _decoded(packet: av.Packet[av.AudioStream]) -> list[av.AudioFrame]:
    try:
        return packet.decode()
    except av.InvalidDataError:
        return []  # a damaged packet; the rest of a recording may be fine


def _write(
    frames: Iterator[av.AudioFrame], out: BinaryIO, rate: int, most_channels: int, samples_left: int
) -> int:
    """Write the form and the samples as they come, up to the limit, and return the exit code."""
    first = next(frames, None)
    if first is None:
        return NO_SOUND
    channels = min(first.layout.nb_channels, most_channels)
    resampler = av.AudioResampler(format="s16", layout=_LAYOUTS[channels], rate=rate)
    out.write(struct.pack("<BI", first.layout.nb_channels, first.sample_rate))
    for frame in itertools.chain([first], frames, [None]):
        for part in resampler.resample(frame):
            samples = min(part.samples, samples_left)
            out.write(bytes(part.planes[0])[: 2 * channels * samples])
            samples_left -= samples
            if samples < part.samples:
                out.flush()
                return CUT
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
