"""Many servers that say something at once, and what one of them, or the TTS gateway, can do to the others.

Everything is the whole bot in a process of its own, measured where its packets arrive; see
`benchmarks.many_servers`. Each of the `PARTS` takes up to two minutes and is measured by itself with
`python -m benchmarks many-PART`.

Cold: the first time, with a join and a new voice for every server. Second: the voice of each server is posted
to its TTS gateway. Known: everything is at hand. No text is said twice.
"""

from __future__ import annotations

import asyncio
import math
import random
import shutil
import statistics
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final

from benchmarks import many_playing
from benchmarks.counted_tts_gateway import CALL_SECONDS, HANGS, MANNERS
from benchmarks.figures import Benchmark, Figure, Goal
from benchmarks.machine_state import load
from benchmarks.many_servers import (
    ManyServers,
    Round,
    Server,
    footprint,
    many_servers,
    openings,
    text_after,
)
from benchmarks.percentiles import percentile
from benchmarks.tutorial import STAND_IN
from benchmarks.tutorial_bot import TutorialRound, tutorial_bot
from bot.limits import MAX_UTTERANCES_PER_MEMBER

TEXT_SECONDS: Final = 10.0
LONG_SECONDS: Final = 30.0
SENTENCE_SECONDS: Final = 2.5
MINUTE_SECONDS: Final = 55.0

FIRST_PACKET_GOALS: Final = {100: (0.6, 1.0), 50: (0.3, 0.5), 10: (0.1, 0.15)}
"""First packet less what a call takes, by the number of servers: p50 and p99, in seconds."""

_PATIENCE: Final = 30.0
_HANGING_PATIENCE: Final = 12.0
_TUTORIAL_CHANNELS: Final = 10
_COST_SERVERS: Final = 100
_STRANGERS: Final = 3
_OTHERS: Final = 20
_COMMANDS: Final = 10
_REFUSING_SERVERS: Final = 50
_REFUSING_MEMBERS: Final = 2
_REFUSING_ORDERS: Final = 2


def run(part: str) -> Benchmark:
    """Measure one of the `PARTS`."""
    measure = PARTS[part]
    figures, notes = asyncio.run(measure())
    return Benchmark(f"Many servers at once: {part}", figures, [*notes, f"load while measuring: {load()}"])


Measured = tuple[list[Figure], list[str]]


# -- so many servers ----------------------------------------------------------------------------------


async def _of_servers(count: int) -> Measured:
    figures: list[Figure] = []
    async with many_servers(count) as many:
        for name in ("cold", "second", "known"):
            found = await _all_say(many, TEXT_SECONDS)
            figures += _heard(name, found, count if name == "known" else 0)
            if name == "cold":
                figures.append(
                    Figure("cold: worst packet", [1000 * max(found.late, default=0)], "ms", Goal(60))
                )
                cold = statistics.median(found.first_packets)
                await many.listen(many.servers[0])
        sentence = await _all_say(many, SENTENCE_SECONDS)
        added = cold - statistics.median(found.first_packets)
        figures.append(Figure("cold: first packet later than known, p50", [added], "s"))
        figures += [*_statements("a sentence", sentence, 6, 3), *_decrypted(many)]
    if count == _TUTORIAL_CHANNELS:
        figures += await _tutorial_figures()
    return figures, _notes(with_tutorial=count == _TUTORIAL_CHANNELS)


async def _all_say(many: ManyServers, seconds: float) -> Round:
    orders = [many.order(server, seconds) for server in many.servers]
    return await many.round(orders, patience=_PATIENCE + seconds)


def _heard(name: str, found: Round, count: int = 0) -> list[Figure]:
    """Return what members notice of a round; with the goals of ``count`` servers, if not 0."""
    middle, worst = FIRST_PACKET_GOALS.get(count, (None, None))
    late = _percentile(found.late, 99)
    return [
        Figure(
            f"{name}: first packet, less the call, p50",
            [_percentile(found.first_packets, 50)],
            "s",
            _at_most(middle),
        ),
        Figure(
            f"{name}: first packet, less the call, p99",
            [_percentile(found.first_packets, 99)],
            "s",
            _at_most(worst),
        ),
        Figure(
            f"{name}: first packet after the answer to its own call",
            found.after_answers or [found.patience],
            "s",
        ),
        Figure(f"{name}: lateness of all packets, p99", [1000 * late], "ms", Goal(10.0) if count else None),
        Figure(f"{name}: playing held up", [100 * found.held_up / max(found.seconds, 1.0)], "%"),
        Figure(f"{name}: longest silence within a text, p50", [_percentile(found.silences, 50)], "s"),
        Figure(f"{name}: longest silence within a text, p99", [_percentile(found.silences, 99)], "s"),
        Figure(f"{name}: cores busy until the first packet, p50: the bot", [found.cores[0]]),
        Figure(f"{name}: the same, of the simulated Discord and TTS gateway", [found.cores[1]]),
        Figure(f"{name}: acknowledged, p99", [_percentile(found.acknowledged, 99)], "s", Goal(0.15)),
        Figure(f"{name}: unanswered, of {found.orders}", [found.unanswered], "", Goal(0)),
        Figure(f"{name}: refused, of {found.orders}", [len(found.refusals)], "", Goal(0)),
        Figure(f"{name}: servers in which nothing was heard", [found.unheard], "", Goal(0)),
        Figure(f"{name}: packets lost", [found.lost]),
        *_cost(name, found),
    ]


def _cost(name: str, found: Round, goal: float | None = None) -> list[Figure]:
    return [
        Figure(
            f"{name}: CPU of a spoken second", [_milliseconds(found.cpu, found.seconds)], "ms", _at_most(goal)
        ),
        *_statements(name, found),
    ]


def _statements(
    name: str, found: Round, most: float | None = None, transactions: float | None = None
) -> list[Figure]:
    made = max(1, found.orders - len(found.refusals) - found.unfinished)
    return [
        Figure(f"{name}: calls of an utterance", [len(found.calls) / made]),
        Figure(
            f"{name}: SQL statements of an utterance", [found.counted.statements / made], "", _at_most(most)
        ),
        Figure(
            f"{name}: transactions of an utterance",
            [found.counted.transactions / made],
            "",
            _at_most(transactions),
        ),
    ]


def _decrypted(many: ManyServers) -> list[Figure]:
    if not many.decrypted:
        raise RuntimeError("a listener in the first server has heard nothing")
    return [Figure("packets that a listener could not decrypt", [many.undecryptable], "", Goal(0))]


# -- what a spoken second costs -----------------------------------------------------------------------


async def _costs() -> Measured:
    figures: list[Figure] = []
    async with many_servers(_COST_SERVERS) as many:
        for _ in ("cold", "second"):
            await _all_say(many, SENTENCE_SECONDS)
        short = await _all_say(many, TEXT_SECONDS)
        figures += _cost("10 s texts", short, 8.0)
        saying = asyncio.create_task(_all_say(many, LONG_SECONDS))
        await asyncio.wait({saying}, timeout=LONG_SECONDS / 2)
        held = footprint(many.bot_pid)
        long = await saying
        figures += _cost("30 s texts", long, 5.0)
        figures += [
            Figure(f"{name}: longest silence within a text, p50", [_percentile(found.silences, 50)], "s")
            for name, found in (("10 s texts", short), ("30 s texts", long))
        ]
        figures += [
            Figure("threads of the bot and its children", [held.threads], "", Goal(40)),
            Figure("memory of the bot and its children, PSS", [held.megabytes], "MB", Goal(350)),
        ]
    theirs = await _tutorial_round()
    cost = _milliseconds(theirs.cpu, theirs.seconds)
    figures.append(Figure("the tutorial way, 10 s texts: CPU of a spoken second", [cost], "ms"))
    for name, found, times in (("10 s texts", short, 4.0), ("30 s texts", long, 6.0)):
        ratio = cost / _milliseconds(found.cpu, found.seconds)
        goal = Goal(times, at_least=True)
        figures.append(Figure(f"{name}: CPU, the tutorial way : ours", [ratio], "times", goal))
    return figures, _notes(with_tutorial=True)


async def _tutorial_round() -> TutorialRound:
    rng = random.Random(2)
    texts = [text_after(opening, TEXT_SECONDS, rng) for opening in islice(openings(), _TUTORIAL_CHANNELS)]
    async with tutorial_bot(_TUTORIAL_CHANNELS) as bot:
        return await bot.round(texts, patience=_PATIENCE + TEXT_SECONDS)


async def _tutorial_figures() -> list[Figure]:
    found = await _tutorial_round()
    name = "the tutorial way"
    return [
        Figure(f"{name}: first packet, less the call, p50", [percentile(found.first_packets, 50)], "s"),
        Figure(f"{name}: first packet, less the call, p99", [percentile(found.first_packets, 99)], "s"),
        Figure(f"{name}: lateness of all packets, p99", [1000 * _percentile(found.late, 99)], "ms"),
        Figure(f"{name}: CPU of a spoken second", [_milliseconds(found.cpu, found.seconds)], "ms"),
    ]


# -- a TTS gateway that hangs, or refuses -------------------------------------------------------------


async def _hanging() -> Measured:
    """Let two members' calls hang, as many as they may have, and ask when a stranger's first word comes."""
    async with many_servers(1 + _STRANGERS, members=2) as many:
        crowd, *strangers = many.servers
        for _ in ("cold", "second"):
            await _all_say(many, SENTENCE_SECONDS)
        calm = [await _one_says(many, server, _PATIENCE) for server in strangers]
        for member in (0, 1):
            for _ in range(MAX_UTTERANCES_PER_MEMBER):
                await many.send(many.order(crowd, MINUTE_SECONDS, member=member, word=HANGS))
        hanging = await many.calls_that_hang(patience=_HANGING_PATIENCE)
        hung = [await _one_says(many, server, _HANGING_PATIENCE) for server in strangers]
    usual = statistics.median(found.first_packets[0] for found in calm)
    later = [(found.first_packets[0] - usual) / CALL_SECONDS for found in hung]
    figures = [
        Figure("a stranger's first packet, less the call", [usual], "s"),
        Figure("while two members' calls hang: later by", later, "calls", Goal(1)),
        Figure(
            "while two members' calls hang: not heard", [sum(found.unheard for found in hung)], "", Goal(0)
        ),
        Figure(
            "while two members' calls hang: unanswered",
            [sum(found.unanswered for found in hung)],
            "",
            Goal(0),
        ),
    ]
    return figures, [
        f"{hanging} calls hung; {len(hung)} strangers in turn, "
        f"who is not heard counts with {_HANGING_PATIENCE:g} s"
    ]


async def _one_says(many: ManyServers, server: Server, patience: float) -> Round:
    return await many.round([many.order(server, SENTENCE_SECONDS)], patience=patience)


async def _refusing() -> Measured:
    """Let a new bot find out what a TTS gateway takes, in 200 utterances of one sentence."""
    figures, notes = [], []
    for manner in MANNERS:
        if MANNERS[manner].at_once is None:
            continue
        async with many_servers(_REFUSING_SERVERS, members=_REFUSING_MEMBERS, manner=manner) as many:
            orders = [
                many.order(server, SENTENCE_SECONDS, member=member)
                for _ in range(_REFUSING_ORDERS)
                for member in range(_REFUSING_MEMBERS)
                for server in many.servers
            ]
            found = await many.round(orders, patience=_PATIENCE)
        made = sum(call.status == 200 for call in found.calls)
        refused = sum(call.status not in (0, 200) for call in found.calls)
        first = found.first_packets
        figures += [
            Figure(f"{manner}: calls refused, per 200 made", [200 * refused / max(1, made)], "", Goal(10)),
            Figure(f"{manner}: utterances refused, of {len(orders)}", [len(found.refusals)], "", Goal(0)),
            Figure(f"{manner}: not said within {_PATIENCE:.0f} s", [found.unfinished], "", Goal(0)),
            Figure(f"{manner}: unanswered", [found.unanswered], "", Goal(0)),
            Figure(f"{manner}: first packet in a server, less the call, p50", [_percentile(first, 50)], "s"),
            Figure(f"{manner}: first packet in a server, less the call, p99", [_percentile(first, 99)], "s"),
        ]
        notes += [
            f"{manner}: {count} times: {words}" for words, count in Counter(found.refusals).most_common(3)
        ]
    return figures, notes


# -- one server, or one member, with much to say ------------------------------------------------------


async def _crowded() -> Measured:
    """Let 20 servers say a sentence: alone, beside long texts of another, beside a member's many commands."""
    async with many_servers(2 + _OTHERS, members=3) as many:
        long_winded, hasty, *others = many.servers
        for _ in ("cold", "second"):
            await _all_say(many, SENTENCE_SECONDS)
        figures = _of_others("nobody else", await _others_say(many, others), len(others))
        sent = [await many.send(many.order(hasty, SENTENCE_SECONDS)) for _ in range(_COMMANDS)]
        found = await _others_say(many, others)
        figures += _of_others(f"beside {_COMMANDS} commands of one member", found, len(others))
        unanswered = sum(one.answer.acknowledged_after is None for one in sent)
        figures.append(Figure(f"{_COMMANDS} commands of one member: unanswered", [unanswered], "", Goal(0)))
        for _ in range(MAX_UTTERANCES_PER_MEMBER):
            for member in range(3):
                await many.send(many.order(long_winded, MINUTE_SECONDS, member=member))
        figures += _of_others("beside nine long texts", await _others_say(many, others), len(others))
    return figures, []


async def _others_say(many: ManyServers, others: Sequence[Server]) -> Round:
    return await many.round([many.order(server, SENTENCE_SECONDS) for server in others], patience=_PATIENCE)


def _of_others(name: str, found: Round, count: int) -> list[Figure]:
    return [
        Figure(
            f"{name}: first packet of {count}, less the call, p50",
            [_percentile(found.first_packets, 50)],
            "s",
        ),
        Figure(
            f"{name}: first packet of {count}, less the call, p99",
            [_percentile(found.first_packets, 99)],
            "s",
        ),
        Figure(f"{name}: acknowledged, p99", [_percentile(found.acknowledged, 99)], "s", Goal(0.15)),
        Figure(f"{name}: unanswered", [found.unanswered], "", Goal(0)),
        Figure(f"{name}: not heard", [found.unheard], "", Goal(0)),
    ]


def _percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile; of nothing, infinity, which meets no goal."""
    return percentile(values, percent) if values else math.inf


def _milliseconds(cpu: float, spoken: float) -> float:
    return 1000 * cpu / spoken if spoken else math.inf


def _at_most(limit: float | None) -> Goal | None:
    return None if limit is None else Goal(limit)


def _notes(*, with_tutorial: bool) -> list[str]:
    is_stand_in = with_tutorial and shutil.which("ffmpeg") is None
    return [STAND_IN] if is_stand_in else []


PARTS: Final[dict[str, Callable[[], Coroutine[Any, Any, Measured]]]] = {
    "1": partial(_of_servers, 1),
    "10": partial(_of_servers, 10),
    "50": partial(_of_servers, 50),
    "100": partial(_of_servers, 100),
    "costs": _costs,
    "playing": many_playing.measure,
    "hanging": _hanging,
    "refusing": _refusing,
    "crowded": _crowded,
}
"""How each part is measured, by its name."""
