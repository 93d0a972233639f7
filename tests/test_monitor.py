"""Figures, health and readiness of a process, as Prometheus and a process manager read them."""

from __future__ import annotations

import asyncio
import math
import random
import socket
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot import metrics
from bot.errors import LibraryError, LibraryUnreachableError, SettingsError, TTSBusyError, TTSNoAnswerError
from bot.monitor import Monitor, _quantiles
from bot.playback.scheduler import FrameScheduler
from bot.playback.voice_client import SpeechVoiceClient
from bot.settings import Address, Settings
from rehearsal.faulty_tts_gateway.faults import Hold, Respond
from rehearsal.server import Rehearsal
from tests.bot_process import bot_process, discord_for
from tests.fakes.babble_engine import BabbleEngine
from tests.scenes import DEADLINE, Scene, file_of, open_scene, until, words_of

HERE = Address("127.0.0.1", 0)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path / "data", BabbleEngine()) as scene:
        yield scene


@pytest.fixture
async def monitor(scene: Scene) -> AsyncIterator[Monitor]:
    async with Monitor(HERE, sample_seconds=0.05) as monitor:
        monitor.watch(scene.bot)
        await scene.bot.conditions.look()
        yield monitor


async def got(monitor: Monitor | str, path: str, **options: Any) -> tuple[int, str]:
    url = monitor if isinstance(monitor, str) else monitor.url
    async with aiohttp.ClientSession() as session, session.get(f"{url}{path}", **options) as answer:
        return answer.status, await answer.text()


async def told(monitor: Monitor | str, path: str) -> tuple[int, dict[str, Any]]:
    url = monitor if isinstance(monitor, str) else monitor.url
    async with aiohttp.ClientSession() as session, session.get(f"{url}{path}") as answer:
        return answer.status, await answer.json()


async def figures(monitor: Monitor) -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample, by its name and labels."""
    status, text = await got(monitor, "/metrics")
    assert status == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figure(found: Mapping[Any, float], name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


@pytest.mark.slow
async def test_the_figures_follow_what_happens_and_name_nobody(scene: Scene, monitor: Monitor) -> None:
    before = await figures(monitor)
    await scene.alice.join(scene.perch)
    answer = await scene.speak("An unmistakable sentence", output="voice channel")
    await answer.until(lambda shown: "Spoken in" in shown.content, timeout=DEADLINE)
    await file_of(await scene.speak("An unmistakable sentence", output="here"))
    scene.faults.on_post(Respond(422, b"{}"))
    await words_of(await scene.speak("What it refuses", output="here"))
    after = await figures(monitor)

    def grown(name: str, **labels: str) -> float:
        return figure(after, name, **labels) - figure(before, name, **labels)

    assert grown("myna_generations_total", outcome="made", voice="starter") == 1
    assert grown("myna_generations_total", outcome="kept", voice="starter") == 1
    assert grown("myna_generations_total", outcome="rejected", voice="starter") == 1
    assert grown("myna_tts_calls_total", outcome="answered") == 1
    assert grown("myna_tts_calls_total", outcome="rejected") == 1
    assert grown("myna_tts_call_seconds_count") == 1
    assert grown("myna_first_sound_seconds_count", kept="no") == 1
    assert grown("myna_voice_join_seconds_count", outcome="joined") == 1
    joined = grown("myna_voice_join_seconds_sum", outcome="joined")
    assert grown("myna_first_sound_seconds_sum", kept="no") > joined, "who asks waits for that too"
    assert grown("myna_send_lateness_seconds_count") > 10
    assert grown("myna_send_lateness_seconds_bucket", le="+Inf") == grown("myna_send_lateness_seconds_count")
    assert grown("myna_database_seconds_count") > 5
    assert figure(after, "myna_voice_connections") == 1
    assert figure(after, "myna_queue_utterances_bucket", le="0") == 1
    assert figure(after, "myna_servers") == 1
    assert figure(after, "myna_shards", state="connected") == 1
    assert figure(after, "myna_tts_calls_limit") == scene.bot.tts.queue.limit.slots
    assert figure(after, "myna_budget_calls") == 2
    assert figure(after, "myna_ready") == figure(after, "myna_database_up") == 1
    assert figure(after, "myna_data_bytes") > 10_000
    assert figure(after, "myna_disk_free_bytes") > 0
    _, text = await got(monitor, "/metrics")
    for word in ("unmistakable", str(scene.guild.id), str(scene.alice.id), scene.guild.name, "Alice"):
        assert word not in text


@pytest.mark.slow
async def test_what_waits_is_seen_while_it_waits_and_in_the_hour_behind_it(
    scene: Scene, monitor: Monitor
) -> None:
    hold = Hold()
    scene.faults.on_post(hold)
    await scene.alice.join(scene.perch)
    answer = await scene.speak("This takes a while", output="voice channel")
    await until(lambda: scene.bot.tts.queue.under_way == 1)

    _, before = await told(monitor, "/hour")
    found = await figures(monitor)
    hold.released.set()
    await answer.until(lambda shown: "Spoken in" in shown.content, timeout=DEADLINE)
    _, hour = await told(monitor, "/hour")

    assert figure(found, "myna_tts_calls_under_way") == 1
    assert figure(found, "myna_queue_longest") == 1
    assert figure(found, "myna_queue_utterances_bucket", le="0") == 0
    assert figure(found, "myna_queue_utterances_bucket", le="1") == 1
    assert figure(found, "myna_reading_behind_seconds_bucket", le="0") == 1
    assert not any(point["first_sound"] for point in before["points"])
    ((half, most),) = [point["first_sound"] for point in hour["points"] if point["first_sound"]]
    assert 0 < half <= most < 60
    assert sum(point["calls"].get("answered", 0) for point in hour["points"]) == 1
    assert max(point["voice"] for point in hour["points"]) == 1
    assert max(point["longest"] for point in hour["points"]) == 1
    assert [point["at"] for point in hour["points"]] == sorted(point["at"] for point in hour["points"])
    assert hour["ready"] and hour["now"]["servers"] == 1 and hour["now"]["budget_calls"] == 1


async def test_it_is_ready_once_it_is_and_says_why_it_is_not(scene: Scene) -> None:
    async with Monitor(HERE) as monitor:
        assert await told(monitor, "/health") == (200, {"healthy": True, "reasons": []})
        status, answer = await told(monitor, "/ready")
        assert (status, answer["reasons"]) == (503, ["The bot is starting."])
        monitor.note_obstacle("Discord cannot be reached (TimeoutError). Is this machine online?")
        status, answer = await told(monitor, "/ready")
        assert (status, answer["reasons"][0][:25]) == (503, "Discord cannot be reached")
        monitor.watch(scene.bot)
        assert await told(monitor, "/ready") == (200, {"ready": True, "reasons": [], "warnings": []})

        scene.bot.tree.accepting = False  # as when it begins to shut down
        assert (await told(monitor, "/ready"))[1]["reasons"] == ["The bot is shutting down."]
        scene.bot.tree.accepting = True

        scene.faults.every_post = Respond(402, b"{}")
        await words_of(await scene.speak("Is there any credit left?", output="here"))
        await scene.bot.conditions.look()
        status, answer = await told(monitor, "/ready")
        assert (status, answer["reasons"]) == (
            503,
            ["The voice credit is used up, so nobody gets new speech. Top it up."],
        )

        await scene.bot.library.database.aclose()
        await scene.bot.conditions.look()
        status, answer = await told(monitor, "/ready")
        assert status == 503
        assert answer["reasons"][0].startswith("The database doesn't answer (the database is closed)")
        assert figure(await figures(monitor), "myna_condition", what="database") == 1
        assert figure(await figures(monitor), "myna_ready") == 0


async def test_it_is_not_ready_without_discord(scene: Scene, monitor: Monitor) -> None:
    (shard,) = scene.bot.shards.values()
    leaving = asyncio.create_task(shard.disconnect())  # Discord's last word may take seconds
    await until(shard.is_closed)

    status, answer = await told(monitor, "/ready")

    assert (status, answer["reasons"]) == (
        503,
        ["Discord is not connected (the connection). The bot tries again by itself."],
    )
    leaving.cancel()


class Stuck:
    """Something to be sent that waits until it is ``released``, as nothing may."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self._ticks = 0

    def tick(self) -> bool:
        self._ticks += 1
        return self._ticks == 1 or not self.released.wait(DEADLINE)

    def fail(self, error: Exception) -> None:
        raise AssertionError("it only waits") from error


async def test_a_sender_that_stands_still_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, stuck = FrameScheduler(idle_seconds=0.01), Stuck()
    monkeypatch.setattr(SpeechVoiceClient, "scheduler", scheduler)
    monkeypatch.setattr("bot.monitor._STANDSTILL_SECONDS", 0.2)
    async with Monitor(HERE) as monitor:
        assert (await told(monitor, "/health"))[0] == 200
        scheduler.add(stuck)
        await until(lambda: scheduler.overdue_seconds > 0.2)
        status, answer = await told(monitor, "/health")
        stuck.released.set()
        await until(lambda: not scheduler.is_running())
        assert (await told(monitor, "/health"))[0] == 200

    assert (status, answer["healthy"]) == (503, False)
    assert answer["reasons"][0].startswith("The thread that sends sound has stood still for 0 s.")


async def test_only_this_machine_reads_what_is_served_for_it(monitor: Monitor) -> None:
    assert (await got(monitor, "/metrics", headers={"Host": "evil.example"}))[0] == 403
    assert (await got(monitor, "/metrics", headers={"Host": f"localhost:{monitor.url[-5:]}"}))[0] == 200
    async with aiohttp.ClientSession() as session, session.get(monitor.url) as page:
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        async with session.get(f"{monitor.url}/nothing") as missing:
            assert missing.status == 404
            assert page.headers["Server"] == missing.headers["Server"] == "Myna"


async def test_others_may_read_it_where_the_operator_wants_that(caplog: pytest.LogCaptureFixture) -> None:
    async with Monitor(Address("0.0.0.0", 0)) as monitor:
        port = monitor.url.rpartition(":")[2]
        assert (await got(f"http://127.0.0.1:{port}", "/ready", headers={"Host": "myna.example"}))[0] == 503
    assert "without a password" in caplog.text


async def test_a_port_that_is_taken_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with Monitor(Address("127.0.0.1", taken.getsockname()[1])) as monitor:
            assert monitor.url == ""
    assert "Set METRICS_ADDRESS to another port." in caplog.text
    async with Monitor(None) as monitor:
        assert monitor.url == ""


def test_what_others_say_makes_no_figures_without_end() -> None:
    for code in (None, 1000, 4015, *range(10_000, 20_000), -1):
        metrics.voice_closed(code)

    (closes,) = [family for family in metrics.EVENTS.collect() if family.name == "myna_voice_closes"]
    assert {sample.labels["code"] for sample in closes.samples} >= {"none", "1000", "4015", "other"}
    assert len(closes.samples) < 30


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (TTSNoAnswerError("x"), "no_answer"),
        (TTSBusyError(429, "x"), "busy"),
        (LibraryUnreachableError("x"), "unreachable"),
        (LibraryError("x"), "other"),
        (asyncio.CancelledError(), "cancelled"),
        (ValueError("what a member typed"), "value"),
    ],
)
def test_an_error_is_counted_by_its_kind_and_never_by_its_words(error: BaseException, word: str) -> None:
    assert metrics.word_for(error) == word


@pytest.mark.parametrize("seed", range(5))
def test_a_quantile_of_what_came_lies_between_the_bounds_of_the_real_one(seed: int) -> None:
    rng = random.Random(seed)
    bounds = [0.01, 0.1, 0.2, 0.5, 1.0, 5.0, math.inf]
    old, new = ([rng.lognormvariate(-1, 1.5) for _ in range(rng.randint(1, 300))] for _ in range(2))
    before, after = (
        {bound: float(sum(one <= bound for one in values)) for bound in bounds} for values in (old, old + new)
    )

    for share, found in zip((0.5, 0.99), _quantiles(before, after, 0.5, 0.99) or (), strict=True):
        real = sorted(new)[math.ceil(share * len(new)) - 1]
        upper = next(bound for bound in bounds if real <= bound)
        lower = max([0.0, *(bound for bound in bounds if bound < real)])
        assert lower <= found <= (lower if math.isinf(upper) else upper)
    assert _quantiles(after, after, 0.5) is None
    assert _quantiles({}, {}, 0.5) is None


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("9464", "127.0.0.1", 9464),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("localhost:65535", "localhost", 65535),
        ("[::1]:9464", "::1", 9464),
        ("[::]:1", "::", 1),
    ],
)
def test_a_port_alone_is_one_of_this_machine(written: str, host: str, port: int) -> None:
    assert Settings.from_env({"METRICS_ADDRESS": written}).metrics_address == Address(host, port)


@pytest.mark.parametrize(
    "written",
    ["0", "65536", "on", "::1:9464", "127.0.0.1", ":9464", "http://127.0.0.1:9464", "-1", "9464/", "٩"],
)
def test_what_is_no_address_is_refused_with_a_cure(written: str) -> None:
    with pytest.raises(SettingsError, match="METRICS_ADDRESS must be a port, such as 9464"):
        Settings.from_env({"METRICS_ADDRESS": written})


@pytest.mark.slow
async def test_a_process_tells_of_itself_from_its_start_on(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    async with (
        Rehearsal() as rehearsal,
        discord_for(rehearsal) as variables,
        bot_process(tmp_path, **variables, METRICS_ADDRESS=str(port)) as bot,
    ):
        said = await bot.until("figures and a page of the last hour")
        assert url in said and "logged in" not in said
        status, answer = await told(url, "/ready")
        assert (status, answer["ready"]) == (503, False)
        async with asyncio.timeout(DEADLINE):
            while (await told(url, "/ready"))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert (await told(url, "/health"))[0] == 200
        status, _ = await bot.stopped()
        assert status == 0
