"""Metrics: what the TTS gateway has done and does now, in the text format of Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from tts_gateway.wire import SAMPLE_RATE

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_WAV_HEADER: Final = 44
_BYTES_A_SECOND: Final = 2 * SAMPLE_RATE


class Metrics:
    """Metrics of one TTS gateway since it started: counters, and gauges that are asked when they are shown.

    From two looks at ``tts_sound_seconds_total`` follows how much sound it makes a second; that beside
    ``tts_engine_seconds_total`` is the real-time factor.
    """

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, int]] = Counter()
        self._made: Counter[str] = Counter()
        self._sound_seconds = 0.0
        self._engine_seconds = 0.0

    def answered(self, route: str, status: int) -> None:
        """Count an answer to a call of ``route``."""
        self._answers[route, status] += 1

    def made(self, engine: str, wav: bytes, seconds: float) -> None:
        """Count ``wav``, which ``engine`` took ``seconds`` to make."""
        self._made[engine] += 1
        self._sound_seconds += max(0, len(wav) - _WAV_HEADER) / _BYTES_A_SECOND
        self._engine_seconds += seconds

    def text(self, now: Mapping[str, float]) -> bytes:
        """Return everything as text. ``now`` has the gauges by name, labels included."""
        lines = ["# TYPE tts_requests_total counter"]
        for (route, status), count in sorted(self._answers.items()):
            lines.append(f'tts_requests_total{{route="{route}",status="{status}"}} {count}')
        lines.append("# TYPE tts_sounds_total counter")
        lines += [
            f'tts_sounds_total{{engine="{name}"}} {count}' for name, count in sorted(self._made.items())
        ]
        for name, value in (
            ("tts_sound_seconds_total", self._sound_seconds),
            ("tts_engine_seconds_total", self._engine_seconds),
        ):
            lines += [f"# TYPE {name} counter", f"{name} {value:.3f}"]
        typed: set[str] = set()
        for labelled, value in now.items():
            name = labelled.partition("{")[0]
            if name not in typed:
                typed.add(name)
                lines.append(f"# TYPE {name} gauge")
            lines.append(f"{labelled} {value:g}")
        return "\n".join([*lines, ""]).encode()
