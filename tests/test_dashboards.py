"""The dashboard and the alerts in deploy/: each query, asked of a real Prometheus that watches a bot."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from bot.monitor import Monitor
from bot.settings import Address
from rehearsal.faulty_tts_gateway.faults import Respond
from tests.fakes.babble_engine import BabbleEngine
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, open_scene, until, words_of

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "myna.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
NO_PROMETHEUS = "there is no prometheus here: apt-get install prometheus"
needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason=NO_PROMETHEUS)

OFTEN = 0.25
"""Seconds between two looks of Prometheus: else the test would take minutes."""


def panels(of: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in of["panels"]:
        yield panel
        if "panels" in panel:
            yield from panels(panel)


QUERIES = {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in panels(DASHBOARD)
    for target in panel.get("targets", ())
}


@asynccontextmanager
async def prometheus(folder: Path, watched: Monitor) -> AsyncIterator[str]:
    """Yield the address of a Prometheus with the configuration that is shipped, but for whom it watches."""
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": f"{OFTEN * 1000:.0f}ms", "evaluation_interval": "250ms"}
    config["rule_files"] = [str(DEPLOY / name) for name in config["rule_files"]]
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [watched.url.removeprefix("http://")]}]
    job["scrape_timeout"] = config["global"]["scrape_interval"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as found:
        address = f"127.0.0.1:{found.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        *(
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
        ),
        *(f"--web.listen-address={address}", "--log.level=warn"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await _until_asked(f"http://{address}", 'up{job="myna"} == 1')
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()


async def asked(url: str, query: str) -> list[dict[str, Any]]:
    """Return what Prometheus answers to ``query`` now; nothing while it is on its way up."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/api/v1/query", params={"query": query}) as response,
        ):
            if response.status == 503:
                return []
            answer = await response.json()
    except aiohttp.ClientConnectionError:
        return []
    assert answer["status"] == "success", f"{query}: {answer.get('error')}"
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def filled_in(query: str) -> str:
    """Return ``query`` as Grafana asks it: over a time in which the whole test lies."""
    return query.replace("$__rate_interval", "1m").replace("$instance", ".*")


@pytest.mark.slow
@needs_prometheus
async def test_every_query_of_the_dashboard_and_the_alerts_is_answered_by_prometheus(tmp_path: Path) -> None:
    async with open_scene(tmp_path / "data", BabbleEngine()) as scene:
        settings = replace(scene.settings, daily_seconds=60, max_calls_per_hour=3)
        async with (
            restarted(scene.bot, settings, scene.rehearsal) as bot,
            Monitor(Address("127.0.0.1", 0)) as monitor,
        ):
            scene.bot = bot
            monitor.watch(bot)
            await bot.conditions.look()
            async with prometheus(tmp_path, monitor) as url:
                await _everything_happens(scene)
                await _until_asked(url, "sum(myna_voice_closes_total) and on() myna_voice_connections == 1")
                assert await _unanswered(url) == []
                assert await asked(url, "myna_info{instance!='', version!=''}"), (
                    "the dashboard lists processes by it"
                )
                async with aiohttp.ClientSession() as session, session.get(f"{monitor.url}/metrics") as shown:
                    linted = await asyncio.to_thread(_lint, await shown.read())
                assert linted == ""
                for rule in RULES:
                    await asked(url, rule["expr"])
                    for name in re.findall(r"\b(?:myna|process)_\w+|\bup\b", rule["expr"]):
                        assert await asked(url, name), f"{rule['alert']}: there is no {name}"
                firing = 'ALERTS{alertname="MynaBudgetNearlyUsed",alertstate="firing"}'
                await _until_asked(url, firing)


async def _everything_happens(scene: Scene) -> None:
    """Let something happen for each of the figures."""
    await scene.alice.join(scene.perch)
    answer = await scene.speak("Hello to everybody", output="voice channel")
    await answer.until(lambda shown: "Spoken in" in shown.content, timeout=DEADLINE)
    await file_of(await scene.speak("Hello to everybody", output="here"))
    scene.faults.on_post(Respond(422, b"{}"))
    await words_of(await scene.speak("It refuses this", output="here"))
    await file_of(await scene.speak("And the last one", output="here"))
    assert "as I may this hour" in await words_of(await scene.speak("One too many", output="here"))
    await scene.alice.slash(scene.general, "leave")
    await until(lambda: not scene.bot.players.all)
    await scene.alice.slash(scene.general, "join")
    await until(lambda: bool(scene.bot.players.all))


def _lint(figures: bytes) -> str:
    """Return what Prometheus's own tool has to say of the names and forms of ``figures``."""
    linting = subprocess.run(
        ["promtool", "check", "metrics"], input=figures, capture_output=True, timeout=60, check=False
    )
    return (linting.stdout + linting.stderr).decode()


async def _unanswered(url: str) -> list[str]:
    """Return which queries of the dashboard have no number for an answer, once they had time for it."""
    left = list(QUERIES)
    with suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE):
            while left:
                results = [await asked(url, filled_in(QUERIES[name])) for name in left]
                left = [
                    name
                    for name, result in zip(left, results, strict=True)
                    if all(one["value"][1] == "NaN" for one in result)
                ]
    return left


async def _until_asked(url: str, query: str) -> None:
    """Return as soon as there is an answer to ``query``."""
    async with asyncio.timeout(DEADLINE):
        while not await asked(url, query):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@needs_prometheus
def test_prometheus_takes_the_configuration_as_it_is_shipped() -> None:
    checked = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"],
        cwd=DEPLOY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(RULES)} rules found" in checked.stdout


IN_ORDER = {
    'up{job="myna"}': "1x60",
    "myna_ready": "1x60",
    'myna_shards{state="lost"}': "0x60",
    'myna_first_sound_seconds_bucket{le="1"}': "0+30x60",
    'myna_first_sound_seconds_bucket{le="+Inf"}': "0+30x60",
    "myna_first_sound_seconds_count": "0+30x60",
    'myna_tts_calls_total{outcome="answered"}': "0+30x60",
    'myna_tts_calls_total{outcome="server"}': "0+1x60",
    'myna_tts_calls_total{outcome="cancelled"}': "0+30x60",
    'myna_send_lateness_seconds_bucket{le="0.01"}': "0+3000x60",
    'myna_send_lateness_seconds_bucket{le="+Inf"}': "0+3000x60",
    "myna_send_skipped_seconds_total": "0+0x60",
    'myna_loop_lag_seconds_bucket{le="0.1"}': "0+240x60",
    'myna_loop_lag_seconds_bucket{le="+Inf"}': "0+240x60",
    'myna_database_errors_total{error="busy"}': "0+0x60",
    "myna_database_up": "1x60",
    "myna_budget_seconds": "100x60",
    "myna_budget_seconds_limit": "0x60",
    "myna_budget_calls": "50x60",
    "myna_budget_calls_limit": "100x60",
    "myna_data_held_bytes": "50x60",
    "myna_data_limit_bytes": "100x60",
    "myna_disk_free_bytes": "50000000000x60",
}
"""What is scraped of a bot in order, a minute for each."""


def later(name: str, count: int, buckets: Mapping[str, int]) -> dict[str, str]:
    """Return a histogram that grows by so many a minute, in its ``buckets`` as said, and in no lower one."""
    return {
        f'{name}_bucket{{le="{bound}"}}': f"0+{up_to}x60"
        for bound, up_to in {**buckets, "+Inf": count}.items()
    }


IN_TROUBLE = [
    ("MynaDown", {'up{job="myna"}': "0x60"}),
    ("MynaNotReady", {"myna_ready": "0x60"}),
    ("MynaLostDiscord", {'myna_shards{state="lost"}': "1x60"}),
    ("MynaFirstSoundSlow", later("myna_first_sound_seconds", 30, {"8": 1, "13": 30})),
    ("MynaCallsFail", {'myna_tts_calls_total{outcome="server"}': "0+30x60"}),
    ("MynaSoundLate", later("myna_send_lateness_seconds", 3000, {"0.04": 2900, "0.08": 3000})),
    ("MynaSoundLate", {"myna_send_skipped_seconds_total": "0+1x60"}),
    ("MynaLoopLags", later("myna_loop_lag_seconds", 240, {"0.5": 10, "1.0": 240})),
    ("MynaDatabaseFails", {"myna_database_up": "0x60"}),
    ("MynaDatabaseFails", {'myna_database_errors_total{error="busy"}': "0+5x60"}),
    ("MynaBudgetNearlyUsed", {"myna_budget_seconds_limit": "105x60"}),
    ("MynaBudgetNearlyUsed", {"myna_budget_calls": "95x60"}),
    ("MynaDiskNearlyFull", {"myna_disk_free_bytes": "100000000x60"}),
    ("MynaDiskNearlyFull", {"myna_data_held_bytes": "95x60"}),
]


def case(firing: str | None, changed: Mapping[str, str]) -> dict[str, Any]:
    """Return a case for promtool: with these figures this alert fires after half an hour, and no other."""
    others = {name.partition("{")[0] for name in changed if "le=" in name}
    figures = {name: values for name, values in IN_ORDER.items() if name.partition("{")[0] not in others}
    count = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "30m"}
    expected = [{"labels": f'{{alertname="{firing}"}}', "value": 1}] if firing else []
    return {
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in {**figures, **changed}.items()],
        "promql_expr_test": [{**count, "exp_samples": expected}],
    }


@needs_prometheus
def test_each_alert_is_firing_in_its_trouble_and_none_while_all_is_in_order(tmp_path: Path) -> None:
    cases = [case(None, {}), *(case(alert, changed) for alert, changed in IN_TROUBLE)]
    assert {alert for alert, _ in IN_TROUBLE} == {rule["alert"] for rule in RULES}
    file = tmp_path / "cases.yml"
    about = {"rule_files": [str(DEPLOY / "alerts.yml")], "evaluation_interval": "1m", "tests": cases}
    file.write_text(yaml.safe_dump(about), encoding="utf-8")

    tested = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False
    )

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_panels_have_numbers_of_their_own_and_do_not_lie_on_each_other() -> None:
    shown = list(panels(DASHBOARD))
    taken: set[tuple[int, int]] = set()

    assert len({panel["id"] for panel in shown}) == len(shown)
    for panel in shown:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_alert_says_what_to_do() -> None:
    for rule in RULES:
        assert rule["annotations"].keys() == {"summary", "action"}, rule["alert"]
