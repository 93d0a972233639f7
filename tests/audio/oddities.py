"""The odd WAV files we know of: which are heard, with what samples, and which are refused."""

from __future__ import annotations

import math
import struct

from tests.audio.handmade import FLOAT_GUID, PCM_GUID, chunk, ds64, fmt, pcm16, riff, sine

WAVE = sine()
PCM = pcm16(WAVE)
DATA = chunk(b"data", PCM)
ODD = b"odd"
HOLES = struct.pack("<6f", math.nan, math.inf, -math.inf, 0.5, -0.5, 2.0)

HEARD: dict[str, tuple[bytes, bytes]] = {
    "plain": (riff(fmt(), DATA), PCM),
    "data size unknown, as streams write it": (riff(fmt(), chunk(b"data", PCM, size=0xFFFFFFFF)), PCM),
    "data size 0 and RIFF size 0": (riff(fmt(), chunk(b"data", PCM, size=0), size=0), PCM),
    "RIFF size nonsense": (riff(fmt(), DATA, size=5), PCM),
    "data cut short": (riff(fmt(), DATA)[:-101], PCM[:-102]),
    "data size too large": (riff(fmt(), chunk(b"data", PCM, size=0xFFFFFFF0)), PCM),
    "half a sample at the end": (riff(fmt(), chunk(b"data", PCM + b"x")), PCM),
    "no samples at all": (riff(fmt(), chunk(b"data", b"")), b""),
    "odd chunk, padded": (riff(fmt(), chunk(b"junk", ODD), DATA), PCM),
    "odd chunk, not padded": (riff(fmt(), chunk(b"junk", ODD, pad=False), DATA), PCM),
    "odd chunk, padded with rubbish": (riff(fmt(), chunk(b"junk", ODD, pad=False) + b"P", DATA), PCM),
    "chunks in front of the format": (riff(chunk(b"JUNK", bytes(28)), fmt(), DATA), PCM),
    "format with an empty extension": (riff(chunk(b"fmt ", fmt()[8:] + b"\0\0"), DATA), PCM),
    "EXTENSIBLE PCM": (riff(fmt(tag=0xFFFE, guid=PCM_GUID), DATA), PCM),
    "EXTENSIBLE float": (
        riff(fmt(tag=0xFFFE, bits=32, guid=FLOAT_GUID), chunk(b"data", WAVE.astype("<f4").tobytes())),
        PCM,
    ),
    "float with NaN and infinities": (
        riff(fmt(tag=3, bits=32), chunk(b"data", HOLES)),
        struct.pack("<6h", 0, 0, 0, 16_384, -16_384, 32_767),
    ),
    "RF64 through ds64": (
        riff(ds64(len(PCM)), fmt(), chunk(b"data", PCM, size=0xFFFFFFFF) + b"tail", magic=b"RF64"),
        PCM,
    ),
    "RF64 whose ds64 claims the moon": (
        riff(ds64(2**63), fmt(), chunk(b"data", PCM, size=0xFFFFFFFF), magic=b"RF64"),
        PCM,
    ),
    "RF64 that does not know its size": (
        riff(ds64(0), fmt(), chunk(b"data", PCM, size=0xFFFFFFFF), magic=b"RF64"),
        PCM,
    ),
    "64 chunks": (riff(fmt(), *[chunk(b"none", b"")] * 62, DATA), PCM),
    "200,000 empty chunks behind the samples": (riff(fmt(), DATA, chunk(b"none", b"") * 200_000), PCM),
}

REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "one byte": b"R",
    "0 channels": riff(fmt(channels=0), DATA),
    "9 channels": riff(fmt(channels=9), DATA),
    "65,535 channels": riff(fmt(channels=65_535), DATA),
    "rate 0": riff(fmt(rate=0), DATA),
    "rate 7,999": riff(fmt(rate=7_999), DATA),
    "rate 192,001": riff(fmt(rate=192_001), DATA),
    "rate 4,294,967,295": riff(fmt(rate=0xFFFFFFFF), DATA),
    "0 bits": riff(fmt(bits=0), DATA),
    "1 bit": riff(fmt(bits=1), DATA),
    "12 bits": riff(fmt(bits=12, block=2), DATA),
    "64-bit integers": riff(fmt(bits=64), DATA),
    "16-bit float": riff(fmt(tag=3), DATA),
    "A-law": riff(fmt(tag=6, bits=8), DATA),
    "µ-law": riff(fmt(tag=7, bits=8), DATA),
    "MP3 in a WAV": riff(fmt(tag=0x55, bits=0, block=1), DATA),
    "EXTENSIBLE of an unknown kind": riff(fmt(tag=0xFFFE, guid=b"\x01" + bytes(15)), DATA),
    "EXTENSIBLE A-law": riff(fmt(tag=0xFFFE, bits=8, guid=b"\x06" + PCM_GUID[1:]), DATA),
    "EXTENSIBLE without its extension": riff(fmt(tag=0xFFFE), DATA),
    "EXTENSIBLE inside EXTENSIBLE": riff(fmt(tag=0xFFFE, guid=b"\xfe\xff" + PCM_GUID[2:]), DATA),
    "block size wrong": riff(fmt(block=4), DATA),
    "block size 0": riff(fmt(block=0), DATA),
    "no format": riff(DATA),
    "format behind the samples": riff(DATA, fmt()),
    "two formats": riff(fmt(), fmt(channels=2), DATA),
    "format too small": riff(chunk(b"fmt ", fmt()[8:-2]), DATA),
    "format of 2 GiB": riff(fmt(size=0x7FFFFFFF), DATA),
    "no samples chunk": riff(fmt()),
    "chunk of 4 GiB in front": riff(fmt(), chunk(b"junk", b"", size=0xFFFFFFF0), DATA),
    "65 chunks": riff(fmt(), *[chunk(b"none", b"")] * 63, DATA),
    "200,000 empty chunks": riff(fmt(), chunk(b"none", b"") * 200_000, DATA),
    "RIFX": riff(fmt(), DATA, magic=b"RIFX"),
    "RF64 without ds64": riff(fmt(), DATA, magic=b"RF64"),
    "RF64 with a short ds64": riff(chunk(b"ds64", bytes(20)), fmt(), DATA, magic=b"RF64"),
    "RIFF of another kind": riff(fmt(), DATA, form=b"AVI "),
    "an HTML page": b"<!DOCTYPE html><html><body>Not found</body></html>",
    "a JSON answer": b'{"detail": "Internal server error", "status": 500}',
    "an MP3": b"ID3\x04\x00\x00\x00\x00\x00\x00" + bytes(100),
    "a playlist": b"ffconcat version 1.0\nfile secret.wav\n",
    "zeros": bytes(4_096),
}
