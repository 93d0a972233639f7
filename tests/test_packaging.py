from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.logs import OUR_PACKAGES
from tts_gateway.__main__ import _parser

ROOT = Path(__file__).parent.parent


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.fixture
def service() -> dict[str, Any]:
    (found,) = yaml.safe_load(read("compose.yaml"))["services"].values()
    assert isinstance(found, dict)
    return found


def last_stage() -> str:
    text = re.sub(r"\\\n\s*", "", read("Dockerfile"))
    return text[text.rindex("\nFROM ") :]


@pytest.mark.parametrize(
    "instruction",
    [
        "USER 10001:10001",
        "STOPSIGNAL SIGTERM",
        "VOLUME /data",
        'ENTRYPOINT ["python", "-m", "bot"]',
    ],
)
def test_the_image_keeps_its_promise(instruction: str) -> None:
    assert instruction in last_stage().splitlines()


def test_the_image_says_whether_the_bot_is_healthy_without_opening_a_port() -> None:
    assert re.search(r'^HEALTHCHECK .*CMD \["python", "-m", "bot", "healthy"\]$', last_stage(), re.MULTILINE)
    assert "EXPOSE" not in last_stage()


def test_the_image_installs_only_what_the_hashes_allow() -> None:
    installs = [
        line for line in re.sub(r"\\\n\s*", "", read("Dockerfile")).splitlines() if " install " in line
    ]

    (pip_line,) = [line for line in installs if "-r " in line]
    assert "--require-hashes --only-binary :all:" in pip_line
    assert "apt-get" not in read("Dockerfile")


PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
SHIPPED = PACKAGES - {"benchmarks"}
"""Every list of packages that is kept by hand is held against these."""


def test_the_image_has_every_package_that_runs_and_no_other() -> None:
    copied = re.findall(r"^COPY (\w+) (\w+)$", last_stage(), re.MULTILINE)
    let_in = re.findall(r"^!(\w+)/$", read(".dockerignore"), re.MULTILINE)

    assert {source for source, _ in copied} == {target for _, target in copied} == SHIPPED
    assert set(let_in) == SHIPPED


def test_ruff_mypy_and_the_log_know_every_package() -> None:
    project = tomllib.loads(read("pyproject.toml"))["tool"]

    assert set(project["ruff"]["lint"]["isort"]["known-first-party"]) == PACKAGES | {"tests"}
    assert set(project["mypy"]["files"]) == PACKAGES | {"tests"}
    assert set(OUR_PACKAGES) == PACKAGES | {"__main__"}


def test_nothing_reaches_the_builder_that_is_not_named() -> None:
    rules = [line for line in read(".dockerignore").splitlines() if not line.startswith("#")]

    assert rules[0] == "*"
    assert "!.env" not in rules
    assert not [rule for rule in rules if rule.startswith("!.")]


def test_the_container_may_do_nothing_it_does_not_need(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] <= 256
    assert service["mem_limit"] == "768m"
    assert 1 <= float(service["cpus"]) <= 2
    assert service["ulimits"]["core"] == 0
    assert all("noexec" in mount for mount in service["tmpfs"])
    assert "ports" not in service
    assert "privileged" not in service
    assert service["volumes"] == ["data:/data"]


def test_the_container_has_time_to_say_goodbye_and_cannot_fill_the_disk(service: dict[str, Any]) -> None:
    assert service["init"] is True
    assert service["stop_grace_period"] == "30s"
    assert service["restart"] == "unless-stopped"
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}


def test_ci_runs_what_a_laptop_runs_and_may_only_read() -> None:
    workflow = yaml.safe_load(read(".github/workflows/ci.yml"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]

    assert workflow["permissions"] == {"contents": "read"}
    assert any(step.get("run", "").startswith("make test") for step in steps)
    assert any("docker build" in step.get("run", "") for step in steps)
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert all(job["timeout-minutes"] <= 30 for job in workflow["jobs"].values())
    assert "pull_request_target" not in read(".github/workflows/ci.yml")
    assert "secrets." not in read(".github/workflows/ci.yml")


def test_updates_come_monthly_and_not_on_the_day_of_their_release() -> None:
    updates = yaml.safe_load(read(".github/dependabot.yml"))["updates"]

    assert {update["package-ecosystem"] for update in updates} == {"pip", "github-actions", "docker"}
    for update in updates:
        assert update["schedule"]["interval"] == "monthly"
        assert update["cooldown"]["default-days"] >= 7


def test_every_requirement_is_pinned_and_has_hashes() -> None:
    names = sorted(path.name for path in ROOT.glob("requirements*.txt"))
    assert {"requirements.txt", "requirements-dev.txt"} < set(names)
    for name in names:
        blocks = re.split(r"\n(?=[A-Za-z])", read(name))
        pinned = [block for block in blocks if re.match(r"[A-Za-z]", block)]

        assert pinned
        for block in pinned:
            assert re.match(r"[\w.\[\]-]+==[\w.!+-]+", block), block.splitlines()[0]
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_no_secret_file_can_be_committed() -> None:
    ignored = read(".gitignore").splitlines()

    assert {".env", "data/", "secrets/"} <= set(ignored)


def test_make_lists_every_target_with_a_line_and_does_nothing_else_by_default() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    targets = re.findall(r"^([a-z][a-z-]*):", read("Makefile"), re.MULTILINE)

    shown = dict(re.findall(r"^  ([a-z-]+) +(\S.*)$", listed, re.MULTILINE))
    assert set(shown) == set(targets)
    assert {"help", "run", "check", "room", "tour"} <= set(shown)


def test_the_relay_for_graphics_cards_is_started_with_options_that_there_are(tmp_path: Path) -> None:
    services = yaml.safe_load(read("compose.gpu.yaml"))["services"]
    key = tmp_path / "key"
    key.write_text("secret")
    options = [option.replace("/run/secrets/key", str(key)) for option in services["tts-gateway"]["command"]]

    wishes = _parser().parse_args(options)

    assert wishes.engine == "vllm-omni"
    assert wishes.upstream == ["http://model:8000"]
    assert services["tts-gateway"]["entrypoint"] == ["python", "-m", "tts_gateway"]
    assert services["tts-gateway"]["ports"] == [f"127.0.0.1:{wishes.port}:{wishes.port}"]
    assert wishes.api_key_file == "secret"
