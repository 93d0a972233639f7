"""The child process that decodes one recording: its bytes on stdin, PCM and its form on stdout.

Started by `decoder.py` by its path, with `-I` and an empty environment; of ours it imports only the walls
(`confinement.py`). Before it reads a single foreign byte it loads all it will need, and then gives up for
good what a decoder does not need: memory and time beyond a bound, files, connections, processes, the rights
of root. From then on it can read stdin, write stdout, and reckon. Where the system lacks one of these walls
it decodes all the same; with the one argument `try` it writes what is left open instead.

What a recording is, its bytes say: FFmpeg looks, at the beginning and, if that leads nowhere, where something
like a recording begins. Of several tracks it takes the first in which somebody seems to speak.

Arguments: sample rate, most channels (1 or 2), seconds, megabytes of memory, CPU seconds.
Output: as many channels of 16-bit PCM as were asked for, little-endian, and then `FORM`: the channels and the
rate in Hz of the recording, the number of its track, whether it needs care (see `decoder.py`), its container
and its codec. Exit codes: see `decoder.py`; with `CODEC` and `DAMAGED` the codec is all of the output.
"""

from __future__ import annotations

import io
import itertools
import math
import re
import struct
import sys
import wave
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import av
import av.audio.codeccontext
import av.logging
import av.subtitles.codeccontext  # PyAV imports some of itself only when it is needed, and later it cannot
import av.subtitles.stream
import av.video.codeccontext
import av.video.stream
from av.container import InputContainer

sys.path.append(str(Path(__file__).parents[1]))  # -I leaves it out

from untrusted.confinement import confine, open_ways

NO_SOUND, DAMAGED, CUT, UNKNOWN_KIND, CODEC, FORM_OF_SOUND, TOO_MUCH = 3, 4, 5, 6, 7, 8, 9

TRY = "try"
FORM = struct.Struct("<BIB?32s32s")

_NOT_OPENED = frozenset((
    # what reads other files, connections or devices, and what is text or a picture
    "alsa", "concat", "dash", "fbdev", "hls", "image2", "image2pipe", "imf", "kmsgrab", "lavfi", "mlv",
    "oss", "rtp", "rtsp", "sap", "sdp", "video4linux2,v4l2", "vobsub", "webm_dash_manifest", "x11grab",
    "adf", "adp", "bin", "cdg", "codec2raw", "data", "ffmetadata", "idf", "mpegtsraw", "rawvideo",
    "sbg", "tty", "txd", "xbin",
))  # fmt: skip
_FORMATS = ",".join(
    name for name in av.formats_available if name not in _NOT_OPENED and not name.endswith("_pipe")
)
_MADE_UP = frozenset(("anull", "wavesynth"))  # they sound without a recording
_LAYOUTS = {1: "mono", 2: "stereo"}
_MIN_RATE, _MAX_RATE, _MAX_CHANNELS = 4_000, 6_000_000, 16  # the highest is that of DSD
_MAX_IDLE_PACKETS = 50_000  # packets in a row that give no sound
_MAX_TRACKS, _MAX_LINKS = 8, 64

_BEGINNING = re.compile(
    rb"OggS\0|fLaC|\x1aE\xdf\xa3|(?:RIFF|RF64|riff).{4}|FORM.{4}AIF|caff\0|#!AMR|0&\xb2u|wvpk|TTA1|MAC "
    rb"|FLV\x01|\.snd|.{4}(?:ftyp|moov|mdat|wide|free|skip|pnot)|\xff(?:[\xe2-\xfd]|\xff(?!\xff))",
    re.DOTALL,
)
_ELSEWHERE = re.compile(
    rb"OggS\0\x02|fLaC\0\0\0|\x1aE\xdf\xa3|(?:RIFF|RF64).{4}WAVE|FORM.{4}AIF|#!AMR|\0\0\0.ftyp", re.DOTALL
)
_PADDING = re.compile(rb"\0+")
_LOOKED_THROUGH = 1024 * 1024  # bytes, for where a recording begins
_MAX_STARTS = 4

_CODEC_IN_WORDS = re.compile(r"Audio: (\w+)[^(\n]*(?:\([^/\n]*\) )?(?:\((.{1,16}?) / 0x([0-9A-F]+)\))?")

_LISTEN_RATE = 8_000
_LISTEN_SECONDS = 60
_LEVEL_SAMPLES = 80  # 10 ms
_HEARD = 33.0  # the root mean square of 60 dB below full scale
_SPEECH_SECONDS = 1.0
_STEADY_DB = 1.5  # the spread of levels in noise or in a tone; of speech it is 6 and more


class RefusedError(Exception):
    """There is no sound for us in these bytes; ``code`` says why, ``codec`` in what it is."""

    def __init__(self, code: int, codec: str = "") -> None:
        super().__init__(code, codec)
        self.code = code
        self.codec = codec


class Track(NamedTuple):
    """One track of a recording, ``links`` of one after the other; ``start`` is where its bytes begin."""

    links: list[bytes]
    number: int
    start: int
    container: str
    codec: str


def main(arguments: list[str]) -> int:
    """Decode stdin to stdout, and return the exit code."""
    if arguments == [TRY]:
        return _say_what_is_open()
    rate, channels, seconds, megabytes, cpu_seconds = map(int, arguments)
    load_and_confine(megabytes, cpu_seconds)
    try:
        return _decode(sys.stdin.buffer.read(), rate, channels, seconds)
    except RefusedError as refused:
        sys.stdout.write(refused.codec)
        return refused.code
    except MemoryError:
        return TOO_MUCH
    except (av.FFmpegError, ValueError):
        return DAMAGED


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
    """Decode a recording of our own, as all are decoded."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, 8_000, 0, "NONE", ""))
        wav.writeframes(bytes(1_600))
    track = _find_track(file.getvalue(), 1)
    _write(track, io.BytesIO(), 48_000, 1, 48_000)
    with _opened(track.links[0]) as container:
        _codecs_in_words(container)


def _decode(data: bytes, rate: int, channels: int, seconds: int) -> int:
    track = _find_track(data, seconds)
    return _write(track, sys.stdout.buffer, rate, channels, seconds * rate)


def _find_track(data: bytes, seconds: int) -> Track:
    """Return the track to decode. Raises RefusedError with the reason that is the most telling."""
    reasons = [RefusedError(UNKNOWN_KIND)]
    for start in _starts(data):
        try:
            return _track_from(data[start:] if start else data, start, seconds)
        except RefusedError as refused:
            reasons.append(refused)
    raise max(reasons, key=lambda refused: (refused.code != UNKNOWN_KIND, bool(refused.codec)))


def _starts(data: bytes) -> list[int]:
    """Return where the recording may begin, the likeliest place first."""
    first = _behind_tags(data)
    places = [found.start() for found in _ELSEWHERE.finditer(data, 0, first + _LOOKED_THROUGH)]
    places = [place for place in places if place != first]
    if data[first : first + 3] == b"ID3":  # of a size that cannot be
        places.append(first + 10)
    is_clear = _BEGINNING.match(data, first) is not None
    return ([first, *places] if is_clear else [*places, first])[:_MAX_STARTS] or [0]


def _behind_tags(data: bytes) -> int:
    """Return where the tags and the padding end that some programs put in front of anything."""
    place, after = -1, 0
    while place < after < len(data):
        place = after
        head = data[place : place + 32]
        if head.startswith(b"ID3") and len(head) > 10:
            after += 10 + sum((size & 0x7F) << 7 * (3 - digit) for digit, size in enumerate(head[6:10]))
            after += 10 if head[5] & 0x10 else 0  # a footer
        elif head.startswith(b"APETAGEX") and len(head) == 32:
            after += 32 + int.from_bytes(head[12:16], "little")
        elif head.startswith(bytes(8)):
            padded = _PADDING.match(data, place)
            if padded and _BEGINNING.match(data, padded.end()):
                after = padded.end()
    return max(place, 0)


def _track_from(data: bytes, start: int, seconds: int) -> Track:
    """Return the track to decode of the recording that ``data`` begins with. Raises RefusedError."""
    links = _links(data)
    try:
        with _opened(links[0]) as container:
            tracks = _usable_tracks(container, links, start)
    except MemoryError:  # PyAV's is an FFmpegError too
        raise
    except (av.FFmpegError, ValueError):
        raise RefusedError(DAMAGED if start or _BEGINNING.match(data) else UNKNOWN_KIND) from None
    if len(tracks) == 1:
        return tracks[0]
    return max(tracks, key=lambda track: (_heard(track, seconds), -track.number))


def _opened(data: bytes) -> InputContainer:
    options = {
        "protocol_whitelist": "",
        "format_whitelist": _FORMATS,
        "codec_whitelist": ",".join(_DECODERS),
    }
    return av.open(io.BytesIO(data), "r", options=options)


def _audio_decoders() -> frozenset[str]:
    names = set()
    for name in av.codecs_available - _MADE_UP:
        try:
            if av.Codec(name, "r").type == "audio":
                names.add(name)
        except (av.FFmpegError, ValueError):  # it only encodes
            continue
    return frozenset(names)


_DECODERS = _audio_decoders()


def _usable_tracks(container: InputContainer, links: list[bytes], start: int) -> list[Track]:
    """Return the tracks that can be decoded, one at least. Raises RefusedError."""
    if not container.streams.audio:
        is_recording = container.streams.video or start or _BEGINNING.match(links[0])
        raise RefusedError(NO_SOUND if is_recording else UNKNOWN_KIND)
    tracks, reasons = [], []
    for number, stream in enumerate(container.streams.audio[:_MAX_TRACKS]):
        context = stream.codec_context
        if context is None or context.name not in _DECODERS:
            reasons.append(RefusedError(CODEC, _codecs_in_words(container)[number]))
        elif not context.rate or not context.channels:  # nothing of it could be made out
            reasons.append(RefusedError(DAMAGED, context.name))
        elif not _MIN_RATE <= context.rate <= _MAX_RATE or not 0 < context.channels <= _MAX_CHANNELS:
            reasons.append(RefusedError(FORM_OF_SOUND, context.name))
        else:
            tracks.append(Track(links, number, start, container.format.name, context.name))
    if not tracks:
        raise reasons[0]
    return tracks


def _codecs_in_words(container: InputContainer) -> list[str]:
    """Return the codec of each audio track, as FFmpeg calls it or as the file does."""
    av.logging.set_level(av.logging.INFO)  # `dumps_format` catches what is logged
    words: str = container.dumps_format()  # type: ignore[attr-defined] # its stubs lack it
    found = _CODEC_IN_WORDS.findall(words)
    av.logging.set_level(None)
    names = [name if name != "none" else (f"0x{tag}" if "[" in sign else sign) for name, sign, tag in found]
    return names + [""] * (_MAX_TRACKS - len(names))


def _links(data: bytes) -> list[bytes]:
    """Return the recordings that are put one behind the other in ``data``: chained Ogg, joined WAV."""
    ends = [*_ends_of_links(data)][: _MAX_LINKS - 1]
    return [data[start:end] for start, end in itertools.pairwise([0, *ends, len(data)])]


def _ends_of_links(data: bytes) -> Iterator[int]:
    if data.startswith(b"RIFF"):
        end = 8 + int.from_bytes(data[4:8], "little")
        while data[end : end + 4] == b"RIFF" and data[end + 8 : end + 12] == b"WAVE":
            yield end
            end += 8 + int.from_bytes(data[end + 4 : end + 8], "little")
    place, has_begun = (0 if data.startswith(b"OggS") else -1), False
    while place >= 0 and len(data) > place + 27:
        is_first_page = bool(data[place + 5] & 2)
        if is_first_page and has_begun:
            yield place
        has_begun = not is_first_page
        segments = data[place + 27 : place + 27 + data[place + 26]]
        place = data.find(b"OggS", place + 27 + len(segments) + sum(segments))


def _heard(track: Track, seconds: int) -> int:
    """Return 2 for a track in which somebody seems to speak, 1 for one with any sound, else 0."""
    levels: list[float] = []
    try:
        for pcm in Conversion("mono", _LISTEN_RATE).pcm(_frames(track)):
            samples = array("h", pcm)
            for place in range(0, len(samples) - _LEVEL_SAMPLES + 1, _LEVEL_SAMPLES):
                frame = samples[place : place + _LEVEL_SAMPLES]
                levels.append(math.sqrt(sum(sample * sample for sample in frame) / _LEVEL_SAMPLES))
            if len(levels) >= 100 * min(seconds, _LISTEN_SECONDS):
                break
    except MemoryError:
        raise
    except (RefusedError, av.FFmpegError, ValueError):
        pass
    loud = [20 * math.log10(level) for level in levels if level > _HEARD]
    if len(loud) < 100 * _SPEECH_SECONDS:
        return int(bool(loud))
    mean = sum(loud) / len(loud)
    return 2 if math.sqrt(sum((level - mean) ** 2 for level in loud) / len(loud)) >= _STEADY_DB else 1


def _frames(track: Track) -> Iterator[av.AudioFrame]:
    """Yield the sound of a track. Raises RefusedError if there is none."""
    packets = 0
    has_begun = False
    for link in track.links:
        try:
            with _opened(link) as container:
                streams = container.streams.audio
                if not streams or streams[min(track.number, len(streams) - 1)].codec_context is None:
                    continue
                stream = streams[min(track.number, len(streams) - 1)]
                stream.codec_context.thread_count = 1
                idle = 0
                for packet in container.demux(stream):
                    packets += bool(packet.size)
                    idle += 1
                    for frame in _decoded(packet):
                        idle, has_begun = 0, True
                        yield frame
                    if idle > _MAX_IDLE_PACKETS:
                        break
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError):
            continue  # what came before it is good, and the next may be
    if not has_begun:
        raise RefusedError(DAMAGED, track.codec) if packets else RefusedError(NO_SOUND)


def _decoded(packet: av.Packet[av.AudioStream]) -> list[av.AudioFrame]:
    try:
        return packet.decode()
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError):
        return []  # a damaged packet; the rest of a recording may be fine


class Conversion:
    """Conversion of sound to 16-bit PCM of this layout and rate (Hz), whatever changes on the way."""

    def __init__(self, layout: str, rate: int) -> None:
        self._layout = layout
        self._rate = rate
        self._block_bytes = 2 if layout == "mono" else 4
        self._resampler: av.AudioResampler | None = None
        self._form: tuple[int, str, str] | None = None
        self.changes = 0
        """How often the rate or the channels have changed."""

    def pcm(self, frames: Iterable[av.AudioFrame]) -> Iterator[bytes]:
        """Yield the PCM of ``frames`` as it comes."""
        for frame in frames:
            form = (frame.sample_rate, frame.layout.name, frame.format.name)
            if form != self._form:
                yield from self._rest()
                self.changes += self._form is not None
                self._form = form
                self._resampler = av.AudioResampler(format="s16", layout=self._layout, rate=self._rate)
            frame.pts = None  # they begin anew in what is joined
            yield from self._resampled(frame)
        yield from self._rest()

    def _rest(self) -> Iterator[bytes]:
        yield from self._resampled(None)
        self._resampler = None

    def _resampled(self, frame: av.AudioFrame | None) -> Iterator[bytes]:
        if self._resampler is not None:
            for part in self._resampler.resample(frame):
                yield bytes(part.planes[0])[: self._block_bytes * part.samples]


def _write(track: Track, out: BinaryIO, rate: int, most_channels: int, samples_left: int) -> int:
    """Write the samples as they come, up to the limit, and their form; return the exit code."""
    frames = _frames(track)
    first = next(frames)
    channels = min(first.layout.nb_channels, most_channels)
    form = (first.layout.nb_channels, first.sample_rate)
    conversion = Conversion(_LAYOUTS[channels], rate)
    bytes_left = 2 * channels * samples_left
    for pcm in conversion.pcm(itertools.chain([first], frames)):
        out.write(pcm[:bytes_left])
        bytes_left -= len(pcm)
        if bytes_left < 0:
            break
    has_junk = track.start > 0 and track.container != "mp3"  # whose tags every reader knows
    needs_care = has_junk or conversion.changes > 0 or len(track.links) > 1
    out.write(FORM.pack(*form, track.number, needs_care, track.container.encode(), track.codec.encode()))
    out.flush()
    return CUT if bytes_left < 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
