"""A minute of text in segments, against a TTS gateway modelled as 0.3 s + 0.3 s for every second of sound.

Two hundred texts, put together from `benchmarks.sentences` by a seeded draw: languages, order, and how far
the speech is from the estimate (a pace for each voice, 0.75 to 1.25, and 12 % from segment to segment).
Nothing is spoken and no time passes: the figures are the same on every machine.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks.figures import Benchmark, Figure
from benchmarks.sentences import SENTENCES
from bot.speech.segment_plan import Call, Speed, next_target
from bot.text.segments import Segmenter
from bot.text.speaking_time import speaking_seconds

TEXTS: Final = 200
TEXT_SECONDS: Final = 60.0
OVERHEAD: Final = 0.3
PER_SECOND: Final = 0.3
HEARD_GAP_SECONDS: Final = 0.02
"""A frame: a shorter delay between two segments cannot be heard."""

_UNSPACED: Final = ("ja", "zh")


@dataclass(frozen=True, slots=True)
class Played:
    """How one text was heard: seconds to the first sound and to the end, gaps in seconds, calls made."""

    first_sound: float
    end: float
    gaps: Sequence[float]
    calls: int


@dataclass(slots=True)
class _Made:
    asked: float
    ready: float
    seconds: float
    pause_after: float


@dataclass(slots=True)
class Model:
    """A TTS gateway: what a call takes, how many it works on at once, how far speech is from estimates."""

    pace: float = 1.0
    spread: float = 0.0
    at_once: int = 8
    overhead: float = OVERHEAD
    per_second: float = PER_SECOND
    _free: list[float] = field(default_factory=list)

    def make(self, seconds: float, now: float, rng: random.Random) -> tuple[float, float]:
        """Return when speech estimated at ``seconds`` is made if it is asked for ``now``, and its length."""
        length = seconds * self.pace * math.exp(rng.gauss(0, self.spread))
        begin = now
        if len(self._free) >= self.at_once:
            begin = max(now, sorted(self._free)[-self.at_once])
        self._free.append(begin + self.overhead + self.per_second * length)
        return self._free[-1], length


def texts(count: int = TEXTS, *, seconds: float = TEXT_SECONDS, seed: int = 1) -> Iterator[str]:
    """Return texts of about this length, each in one language."""
    rng = random.Random(seed)
    languages = sorted(SENTENCES)
    for number in range(count):
        language = languages[number % len(languages)]
        sentences: list[str] = []
        while speaking_seconds(" ".join(sentences)) < seconds:
            sentences.append(rng.choice(SENTENCES[language]))
        yield ("" if language in _UNSPACED else " ").join(sentences)


def played(text: str, model: Model, rng: random.Random, *, ahead: int = 2, one_voice: bool = False) -> Played:
    """Return how ``text`` is heard. ``one_voice``: nothing is asked for before the first segment is made."""
    segments, speed = Segmenter(text), Speed()
    made: list[_Made] = []
    now = 0.0
    while True:
        under_way = [part for part in made if part.ready > now]
        waits = one_voice and bool(made) and made[0].ready > now
        if len(under_way) >= min(ahead, speed.ahead) or waits:
            first = min(under_way, key=lambda part: part.ready)
            now = first.ready
            speed.learn(Call(first.asked, first.ready, first.seconds))
            continue
        target = next_target(
            speed, buffered=_buffered(made, now), in_flight=[part.seconds / model.pace for part in under_way]
        )
        segment = segments.next(target)
        if segment is None:
            return _heard(made)
        ready, length = model.make(segment.seconds, now, rng)
        made.append(_Made(now, ready, length, segment.pause_after))


def _buffered(made: Sequence[_Made], now: float) -> float:
    finished = [part for part in made if part.ready <= now]
    return max(0.0, _heard(finished).end - now) if finished else 0.0


def _heard(made: Sequence[_Made]) -> Played:
    clock, gaps = made[0].ready, []
    for before, part in zip([None, *made], made, strict=False):
        if before is not None:
            clock += before.pause_after
            gaps.append(max(0.0, part.ready - clock))
        clock = max(clock, part.ready) + part.seconds
    return Played(made[0].ready, clock, gaps, len(made))


def simulate(*, ahead: int = 2, one_voice: bool = False, at_once: int = 8, seed: int = 1) -> list[Played]:
    """Return how two hundred texts are heard; the same for the same ``seed``."""
    rng = random.Random(seed)
    return [
        played(text, Model(rng.uniform(0.75, 1.25), 0.12, at_once), rng, ahead=ahead, one_voice=one_voice)
        for text in texts(seed=seed)
    ]


def run() -> Benchmark:
    """Simulate two ahead with a recording to clone, without one, and one ahead."""
    figures: list[Figure] = []
    for name, ahead, one_voice in (
        ("two ahead", 2, False),
        ("two ahead, others cloned on the first", 2, True),
        ("one ahead", 1, False),
    ):
        figures += _figures(name, simulate(ahead=ahead, one_voice=one_voice))
    notes = ["goals: first sound at most 2.2 s (median), a gap in at most 7 % of the texts, none above 0.5 s"]
    return Benchmark(f"Pacing: {TEXTS} texts of {TEXT_SECONDS:.0f} s, simulated", figures, notes)


def _figures(name: str, heard: Sequence[Played]) -> list[Figure]:
    worst = [max(one.gaps, default=0.0) for one in heard]
    with_gap = [gap for gap in worst if gap > HEARD_GAP_SECONDS]
    return [
        Figure(f"{name}: first sound", [one.first_sound for one in heard], "s"),
        Figure(f"{name}: end", [one.end for one in heard], "s"),
        Figure(f"{name}: texts with a gap", [100 * len(with_gap) / len(heard)], "%"),
        Figure(f"{name}: worst gap of these", with_gap or [0.0], "s"),
        Figure(f"{name}: segments", [float(one.calls) for one in heard]),
    ]
