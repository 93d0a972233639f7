"""The child process that decodes one recording: its bytes on stdin, its form and PCM on stdout.

Started by `recordings.py` by its path, with `-I` and an empty environment; it imports nothing of ours.
Before it looks at a single foreign byte it gives up what a decoder does not need: memory and time beyond a
bound, new files (whatever the bytes ask it to open), writing to files, core dumps.

Arguments: format, sample rate, most channels (1 or 2), seconds, megabytes of memory, CPU seconds.
Output: the channels (1 byte) and the rate in Hz (4 bytes) of the recording, then as many channels of 16-bit
PCM as were asked for, everything little-endian. Exit codes: see `recordings.py`.
"""

from __future__ import annotations

import io
import itertools
import struct
import sys
import wave
from collections.abc import Iterator
from typing import BinaryIO

import av
from av.container import InputContainer

NO_SOUND = 3
UNREADABLE = 4
CUT = 5

_DECODERS = (
    "aac", "alac", "flac", "mp3", "mp3float", "opus", "vorbis", "adpcm_ms", "adpcm_ima_wav", "pcm_alaw",
    "pcm_mulaw", "pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_s16be", "pcm_f32le", "pcm_f64le",
)  # fmt: skip
_LAYOUTS = {1: "mono", 2: "stereo"}
_MIN_RATE, _MAX_RATE, _MAX_CHANNELS = 4_000, 384_000, 16
_MAX_IDLE_PACKETS = 50_000  # packets in a row that give no sound


def main(arguments: list[str]) -> int:
    """Decode stdin to stdout, and return the exit code."""
    container_format = arguments[0]
    rate, channels, seconds, megabytes, cpu_seconds = map(int, arguments[1:])
    data = sys.stdin.buffer.read()
    _load_all_of_pyav()
    _give_up_powers(megabytes, cpu_seconds)
    try:
        return _decode(data, container_format, rate, channels, seconds)
    except (av.FFmpegError, ValueError, MemoryError):
        return UNREADABLE


def _load_all_of_pyav() -> None:
    """Decode a recording of our own: PyAV imports some of itself only then, and later it cannot."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, 8_000, 0, "NONE", ""))
        wav.writeframes(bytes(1_600))
    with av.open(io.BytesIO(file.getvalue()), "r", format="wav") as container:
        _write(_frames(container, container.streams.audio[0]), io.BytesIO(), 48_000, 1, 48_000)


def _give_up_powers(megabytes: int, cpu_seconds: int) -> None:
    if sys.platform == "win32":
        return  # no such limits there; the parent's wall clock and output bound still hold
    import resource

    size = megabytes * 1024 * 1024
    for limit, value in (
        (resource.RLIMIT_AS, size),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 3),  # the three open ones; no other file or socket can be opened
    ):
        resource.setrlimit(limit, (value, value))


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
