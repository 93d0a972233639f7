"""Monitor: figures for Prometheus, health, readiness, and a page of the last hour, over HTTP.

One for each process. It only looks: nothing of the bot waits for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import math
import time
from base64 import b64encode
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bot import __version__, metrics
from bot.playback.scheduler import LATENESS_BOUNDS
from bot.playback.voice_client import SpeechVoiceClient
from bot.settings import Address
from bot.speech_bot import SpeechBot

log = logging.getLogger(__name__)

SAMPLE_SECONDS: Final = 10.0
"""So often the figures of the page are taken."""

_HOUR: Final = 3_600.0
_SAMPLES_OF_POINT: Final = 6  # a point of the page is what was in a minute
_LAG_SECONDS: Final = 0.25
_STANDSTILL_SECONDS: Final = 5.0
_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PAGE: Final = Path(__file__).with_name("monitor.html")
_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_QUEUE_BOUNDS: Final = (0, 1, 2, 5, 10, 20, 50)
_BEHIND_BOUNDS: Final = (0, 1, 2, 5, 10, 20, 40)


class Monitor:
    """Monitor of the bots that this process runs, one after the other; served at ``address``; None: nowhere.

    An async context manager. Where nobody can be served, the bot works without it, and the log says so.
    """

    def __init__(self, address: Address | None, *, sample_seconds: float = SAMPLE_SECONDS) -> None:
        self._address = address
        self._sample_seconds = sample_seconds
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._began = time.time()
        self._bot: SpeechBot | None = None
        self._obstacle = ""
        self._hour = _Hour()
        self._now = CollectorRegistry(auto_describe=False)
        self._now.register(_Present(self))
        page = _PAGE.read_bytes()
        self._page = page
        self._headers = {
            "Server": "Myna",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Content-Security-Policy": _policy_of(page.decode()),
        }
        self._hosts = _THIS_MACHINE  # whom others may take us for; empty: anybody
        self.url = ""
        """Where its page is, while it is open."""

    async def __aenter__(self) -> Self:
        if self._address is not None:
            await self._open(self._address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    def watch(self, bot: SpeechBot) -> None:
        """Tell of this bot from now on."""
        self._bot, self._obstacle = bot, ""

    def note_obstacle(self, sentence: str) -> None:
        """Note why there is no bot at the moment."""
        self._bot, self._obstacle = None, sentence

    # -- what is said of the bot ------------------------------------------------------------------

    @property
    def bot(self) -> SpeechBot | None:
        """The bot, once all of its parts are there; None while it starts, and between two tries to."""
        return self._bot if hasattr(self._bot, "conditions") else None

    def problems(self) -> tuple[list[str], list[str]]:
        """Return why the bot is not ready to serve everybody, and what else needs somebody: sentences."""
        bot = self.bot
        if bot is None:
            return [self._obstacle or "The bot is starting."], []
        stops = [one.sentence for one in bot.conditions.current if one.stops]
        others = [one.sentence for one in bot.conditions.current if not one.stops]
        if bot.is_closed() or not bot.tree.accepting:
            stops.insert(0, "The bot is shutting down.")
        elif not bot.is_ready():
            stops.insert(0, "The bot is logging in to Discord.")
        elif lost := [shard.id for shard in bot.shards.values() if shard.is_closed()]:
            which = f"shards {', '.join(map(str, lost))}" if len(bot.shards) > 1 else "the connection"
            stops.insert(0, f"Discord is not connected ({which}). The bot tries again by itself.")
        return stops, others

    # -- serving ----------------------------------------------------------------------------------

    async def _open(self, address: Address) -> None:
        self._hosts |= {address.host}
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self._show_page)
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_get("/health", self._show_health)
        app.router.add_get("/ready", self._show_readiness)
        app.router.add_get("/hour", self._show_hour)
        runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, address.host, address.port).start()
        except OSError as error:
            await runner.cleanup()
            log.warning(
                "No figures are served: %s cannot be used (%s). Set METRICS_ADDRESS to another port.",
                *(address, error.strerror or type(error).__name__),
            )
            return
        self._runner = runner
        host, port = runner.addresses[0][:2]
        self.url = f"http://{Address(host, port)}"
        log.info("figures and a page of the last hour: %s", self.url)
        if not ipaddress.ip_address(host).is_loopback:
            self._hosts = frozenset()
            log.warning(
                "Whoever reaches %s reads the bot's figures without a password. They name no server, no "
                "member, and nothing that was said.",
                address,
            )
        self._tasks = [
            asyncio.create_task(self._keep_samples(), name="monitor"),
            asyncio.create_task(_watch_loop(), name="loop-lag"),
        ]

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Refuse whoever takes this machine for another: a page in a browser here could else read along."""
        if self._hosts and request.url.host not in self._hosts:
            return web.Response(status=403, text="This is not the host that you asked for.\n")
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            error.headers.update(self._headers)
            raise
        response.headers.update(self._headers)
        return response

    async def _show_page(self, _: web.Request) -> web.Response:
        return web.Response(body=self._page, content_type="text/html", charset="utf-8")

    async def _show_metrics(self, _: web.Request) -> web.Response:
        body = generate_latest(metrics.EVENTS) + generate_latest(self._now)
        return web.Response(body=body, headers={"Content-Type": _CONTENT_TYPE})

    async def _show_health(self, _: web.Request) -> web.Response:
        late = SpeechVoiceClient.scheduler.overdue_seconds
        still = f"The thread that sends sound has stood still for {late:.0f} s. Restart the bot."
        problems = [still] if late > _STANDSTILL_SECONDS else []
        answer = {"healthy": not problems, "reasons": problems}
        return web.json_response(answer, status=503 if problems else 200)

    async def _show_readiness(self, _: web.Request) -> web.Response:
        problems, others = self.problems()
        answer = {"ready": not problems, "reasons": problems, "warnings": others}
        return web.json_response(answer, status=503 if problems else 200)

    async def _show_hour(self, _: web.Request) -> web.Response:
        problems, others = self.problems()
        figures = self._figures()
        return web.json_response({
            "version": __version__,
            "up_seconds": round(time.time() - self._began),
            "ready": not problems,
            "reasons": problems,
            "warnings": others,
            "now": figures.present,
            "points": self._hour.points(figures),
        })  # fmt: skip

    # -- figures ----------------------------------------------------------------------------------

    async def _keep_samples(self) -> None:
        while True:
            try:
                self._hour.add(self._figures())
            except Exception:  # whatever it is, there are figures again the next time
                log.exception("the figures of this moment could not be taken")
            await asyncio.sleep(self._sample_seconds)

    def _figures(self) -> _Figures:
        return _Figures.of(_samples_of(metrics.EVENTS), _samples_of(self._now))


async def _watch_loop() -> None:
    """Count how late the event loop is, for as long as this runs."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LAG_SECONDS
        await asyncio.sleep(_LAG_SECONDS)
        metrics.loop_was_late(max(0.0, loop.time() - due))


def _policy_of(page: str) -> str:
    """Return the Content-Security-Policy that lets the page's own script and style run, and no other."""
    script, style = (
        " ".join(
            f"'sha256-{b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"
            for part in (element.split(f"</{name}>")[0] for element in page.split(f"<{name}>")[1:])
        )
        for name in ("script", "style")
    )
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


class _Present(Collector):
    """What is at this moment, of the process and of its bot: asked when somebody looks."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterator[Metric]:
        """Yield the figures."""
        yield InfoMetricFamily("myna", "The bot that runs.", {"version": __version__})
        yield _gauge("myna_ready", "Whether it serves everybody.", not self._monitor.problems()[0])
        yield from _of_sender()
        if (bot := self._monitor.bot) is not None:
            yield from _of_discord(bot)
            yield from _of_calls(bot)
            yield from _of_queues(bot)
            yield from _of_storage(bot)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=float(value))


def _of_sender() -> Iterator[Metric]:
    scheduler = SpeechVoiceClient.scheduler
    counts, total = list(scheduler.lateness.counts), 0
    buckets = []
    for bound, count in zip((*map(str, LATENESS_BOUNDS), "+Inf"), counts, strict=True):
        total += count
        buckets.append((bound, total))
    yield HistogramMetricFamily(
        "myna_send_lateness_seconds",
        "How late the sound of 20 ms was sent to voice channels.",
        buckets=buckets,
        sum_value=scheduler.lateness.sum,
    )
    yield CounterMetricFamily(
        "myna_send_skipped_seconds",
        "Seconds for which all voice channels stood still, because they could not be made up for.",
        value=scheduler.skipped_seconds,
    )


def _of_discord(bot: SpeechBot) -> Iterator[Metric]:
    yield _gauge("myna_servers", "Servers that the bot is in.", len(bot.guilds))
    shards = GaugeMetricFamily("myna_shards", "Connections to Discord.", labels=["state"])
    lost = sum(shard.is_closed() for shard in bot.shards.values())
    shards.add_metric(["connected"], len(bot.shards) - lost)
    shards.add_metric(["lost"], lost)
    yield shards
    delays = [delay for _, delay in bot.latencies if math.isfinite(delay)]
    yield _gauge(
        "myna_discord_latency_seconds", "The longest way to Discord and back.", max(delays, default=0.0)
    )
    found = GaugeMetricFamily("myna_condition", "What is in the way now.", labels=["what"])
    for one in bot.conditions.current:
        found.add_metric([one.what], 1.0)
    yield found


def _of_calls(bot: SpeechBot) -> Iterator[Metric]:
    queue, budget = bot.tts.queue, bot.library.usage.budget
    for name, words, value in (
        ("tts_calls_under_way", "Calls that the TTS gateway has now.", queue.under_way),
        ("tts_calls_waiting", "Calls that wait for their turn.", queue.waiting),
        ("tts_calls_limit", "How many calls at once the TTS gateway gets, as was learnt.", queue.limit.slots),
        (
            "tts_stopped",
            "Whether calls fail at once, after too many that failed.",
            bot.tts.outage is not None,
        ),
        ("budget_seconds", "New speech of all servers since midnight UTC.", budget.seconds),
        ("budget_seconds_limit", "DAILY_SECONDS; 0: no limit.", budget.most_seconds),
        ("budget_calls", "Calls of all servers in this hour.", budget.calls),
        ("budget_calls_limit", "MAX_CALLS_PER_HOUR; 0: no limit.", budget.most_calls),
    ):
        yield _gauge(f"myna_{name}", words, value)


def _of_queues(bot: SpeechBot) -> Iterator[Metric]:
    queued = [player.queued for player in bot.players.all]
    yield _gauge("myna_voice_connections", "Voice channels that the bot is in.", len(queued))
    yield _gauge("myna_queue_longest", "Utterances in the longest queue of a server.", max(queued, default=0))
    yield _distribution(
        "myna_queue_utterances",
        "Servers in whose voice channel the bot is, by the utterances in their queue.",
        _QUEUE_BOUNDS,
        queued,
    )
    yield _distribution(
        "myna_reading_behind_seconds",
        "The same servers, by how far reading aloud is behind what is written.",
        _BEHIND_BOUNDS,
        [bot.readers.behind(player.guild_id).seconds for player in bot.players.all],
    )


def _distribution(name: str, words: str, bounds: Sequence[float], values: Sequence[float]) -> Metric:
    """Return how ``values`` are distributed at this moment."""
    buckets = [(str(bound), float(sum(one <= bound for one in values))) for bound in bounds]
    return GaugeHistogramMetricFamily(
        name, words, buckets=[*buckets, ("+Inf", len(values))], gsum_value=sum(values)
    )


def _of_storage(bot: SpeechBot) -> Iterator[Metric]:
    storage = bot.conditions.storage
    for name, words, value in (
        ("database_up", "Whether the database answered when it was asked last.", storage.has_database),
        ("data_bytes", "What DATA_DIR holds.", storage.use.used),
        ("data_held_bytes", "What of it gives way to nothing.", storage.use.held),
        ("data_limit_bytes", "What it may hold; 0: no limit.", storage.max_bytes),
        ("disk_free_bytes", "The room that is left on its disk.", storage.free_bytes),
    ):
        yield _gauge(f"myna_{name}", words, value)


_Samples = Mapping[str, Sequence[tuple[Mapping[str, str], float]]]


def _samples_of(registry: CollectorRegistry) -> _Samples:
    """Return what a registry has now, by the names of its samples."""
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for family in registry.collect():
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


_SHOWN: Final = (
    *("myna_servers", "myna_voice_connections", "myna_queue_longest", "myna_tts_calls_under_way"),
    *("myna_tts_calls_waiting", "myna_tts_calls_limit", "myna_budget_seconds", "myna_budget_seconds_limit"),
    *("myna_budget_calls", "myna_budget_calls_limit", "myna_data_bytes", "myna_data_limit_bytes"),
    *("myna_disk_free_bytes", "process_resident_memory_bytes"),
)


@dataclass(frozen=True, slots=True)
class _Figures:
    """Figures that the page needs, at one moment: those that only grow, and what is ``present``."""

    at: float
    first_sound: Mapping[float, float]  # how many were not above each bound
    lateness: Mapping[float, float]
    lag: Mapping[float, float]
    calls: Mapping[str, float]  # by outcome
    skipped: float
    present: Mapping[str, float]

    @classmethod
    def of(cls, events: _Samples, now: _Samples) -> Self:
        """Return those of what was counted, and of what is now."""
        both = {**events, **now}
        return cls(
            time.time(),
            _cumulated(events, "myna_first_sound_seconds_bucket"),
            _cumulated(now, "myna_send_lateness_seconds_bucket"),
            _cumulated(events, "myna_loop_lag_seconds_bucket"),
            {labels["outcome"]: value for labels, value in events.get("myna_tts_calls_total", ())},
            now["myna_send_skipped_seconds_total"][0][1],
            {name.removeprefix("myna_"): both[name][0][1] for name in _SHOWN if name in both},
        )


def _cumulated(samples: _Samples, name: str) -> dict[float, float]:
    found: dict[float, float] = {}
    for labels, value in samples.get(name, ()):
        bound = float(labels["le"])
        found[bound] = found.get(bound, 0.0) + value
    return found


class _Hour:
    """The figures of the last hour, as points of a curve."""

    def __init__(self) -> None:
        self._samples: deque[_Figures] = deque(maxlen=round(_HOUR / SAMPLE_SECONDS) + 1)

    def add(self, figures: _Figures) -> None:
        """Keep them for an hour."""
        self._samples.append(figures)

    def points(self, now: _Figures) -> list[dict[str, Any]]:
        """Return what was in each minute, oldest first; the last one goes on until ``now``."""
        samples = [*self._samples, now]
        ends = range(len(samples) - 1, 0, -_SAMPLES_OF_POINT)
        groups = [samples[max(0, end - _SAMPLES_OF_POINT) : end + 1] for end in reversed(ends)]
        return [_point(group) for group in groups]


def _point(group: Sequence[_Figures]) -> dict[str, Any]:
    first, last = group[0], group[-1]
    calls = {name: count - first.calls.get(name, 0.0) for name, count in last.calls.items()}

    def most(name: str) -> float | None:
        return max((one.present[name] for one in group[1:] if name in one.present), default=None)

    return {
        "at": round(last.at, 1),
        "first_sound": _quantiles(first.first_sound, last.first_sound, 0.5, 0.95),
        "lateness": _quantiles(first.lateness, last.lateness, 0.5, 0.99),
        "lag": _quantiles(first.lag, last.lag, 0.5, 0.99),
        "skipped": round(last.skipped - first.skipped, 3),
        "calls": {name: count for name, count in calls.items() if count},
        "waiting": most("tts_calls_waiting"),
        "under_way": most("tts_calls_under_way"),
        "limit": most("tts_calls_limit"),
        "voice": most("voice_connections"),
        "longest": most("queue_longest"),
    }


def _quantiles(
    before: Mapping[float, float], after: Mapping[float, float], *shares: float
) -> list[float] | None:
    """Return the quantiles of what came in between, as far as the bounds tell; None: nothing came."""
    counts = [(bound, count - before.get(bound, 0.0)) for bound, count in sorted(after.items())]
    total = counts[-1][1] if counts else 0.0
    if not total:
        return None
    return [round(_quantile(counts, share * total), 4) for share in shares]


def _quantile(counts: Sequence[tuple[float, float]], rank: float) -> float:
    """Return where so many are below, in proportion between two bounds; above the last bound, that."""
    for (lower, below), (upper, up_to) in pairwise([(0.0, 0.0), *counts]):
        if up_to >= rank and up_to > below:
            return lower if math.isinf(upper) else lower + (upper - lower) * (rank - below) / (up_to - below)
    return 0.0
