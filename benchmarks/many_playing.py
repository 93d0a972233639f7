"""How many voice channels one process plays in while it makes 20 utterances, and where its knee is.

The channels are as after a handshake (`benchmarks.voice_channels`), encrypted end to end and in transport.
When each packet comes is noted at the other end (`benchmarks.voice_watch`). As in `benchmarks.loop_lag`, each
utterance is ten seconds of speech, after a pause as of a TTS gateway.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.arrivals import lateness
from benchmarks.far_line import far_line
from benchmarks.figures import Figure, Goal
from benchmarks.loop_lag import making
from benchmarks.machine_state import allow_many_sockets
from benchmarks.percentiles import percentile
from benchmarks.sounds import speech_wav
from benchmarks.voice_channels import connect, disconnect
from benchmarks.voice_watch import VoiceWatch, voice_watch
from benchmarks.ways_to_play import OURS

CHANNELS: Final = (200, 350, 500, 600, 700, 850, 1000)
GOAL_CHANNELS: Final = 500
LIMIT: Final = 0.010
"""The lateness, in seconds, that 99 % of all packets may have at most."""

_TRIES: Final = 2
_STEP_SECONDS: Final = 2.5
_SETTLE_SECONDS: Final = 0.5
_MODEL_SECONDS: Final = 3.3
_SPEECH_SECONDS: Final = 10.0
_LINE: Final = 100  # Mbit/s
_SOUND: Final = "speech"
_NOBODY: Final = 9


async def measure() -> tuple[list[Figure], list[str]]:
    """Climb until the packets are late in two tries; the figures, and no notes."""
    allow_many_sockets()
    figures, carried = [], 0
    with tempfile.TemporaryDirectory(prefix="benchmark-sounds-") as folder:
        wav = await speech_wav(_SPEECH_SECONDS)
        await asyncio.to_thread((Path(folder) / f"{_SOUND}.wav").write_bytes, wav)
        async with far_line(Path(folder)) as line, voice_watch(_NOBODY) as watch:
            clients = await connect(max(CHANNELS), OURS.kind, watch.address)
            playing = 0
            async with making(line.base_url(_LINE, _SOUND), pause=_MODEL_SECONDS):
                for count in CHANNELS:
                    for client in clients[playing:count]:
                        client.play(OURS.source())
                    playing = count
                    late: list[float] = []
                    ssrcs = [client._connection.ssrc for client in clients[:count]]
                    while len(late) < _TRIES and (not late or late[-1] > LIMIT):
                        late.append(await _lateness(watch, ssrcs))
                    goal = Goal(1000 * LIMIT) if count == GOAL_CHANNELS else None
                    figures.append(
                        Figure(
                            f"{count} channels: lateness of all packets, p99", [1000 * min(late)], "ms", goal
                        )
                    )
                    if min(late) > LIMIT:
                        break
                    carried = count
            disconnect(clients)
    goal = Goal(GOAL_CHANNELS, at_least=True)
    return [*figures, Figure("channels carried while 20 utterances are made", [carried], "", goal)], []


async def _lateness(watch: VoiceWatch, ssrcs: list[int]) -> float:
    """Return how late packets come, at the 99th percentile of all of them."""
    await asyncio.sleep(_SETTLE_SECONDS)
    for ssrc in ssrcs:
        await watch.take(ssrc)
    await asyncio.sleep(_STEP_SECONDS)
    # What comes from here on is late because of this very reading: it is left out.
    newest = await watch.newest()
    end = min(one.at for one in newest.values())
    late: list[float] = []
    for ssrc in ssrcs:
        packets = [packet for packet in await watch.take(ssrc) if packet.at <= end]
        late += lateness(packets)
    return percentile(late, 99)
