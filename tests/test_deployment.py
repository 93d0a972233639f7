"""What stands under deploy/, in the compose files and the workflows: what each names is there.

No daemon runs here: what only one can find out, the workflow of the image does.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import Settings
from tests.test_packaging import ROOT, last_stage, read

SETTINGS = {field.name.upper() for field in dataclasses.fields(Settings)}
NOT_OURS = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
UNIT = ROOT / "deploy" / "myna.service"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
KUBERNETES = {
    (found["kind"], found["metadata"]["name"]): found
    for found in yaml.safe_load_all(read("deploy/kubernetes.yaml"))
}


def compose(name: str) -> dict[str, Any]:
    """Return the services of a compose file, each with what it takes over from another file."""
    found = yaml.safe_load(read(name))
    for service in found["services"].values():
        if "extends" in service:
            base = yaml.safe_load(read(service["extends"]["file"]))["services"][service["extends"]["service"]]
            environment = {**base["environment"], **service["environment"]}
            service.update({**base, **service, "environment": environment})
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", ["compose.yaml", "compose.full.yaml", "compose.gpu.yaml"])
def test_what_a_compose_file_names_is_there(name: str) -> None:
    found = compose(name)
    for service in found["services"].values():
        assert set(service.get("depends_on", ())) <= set(found["services"])
        assert set(service.get("networks", ())) <= set(found.get("networks", ()))
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in found["volumes"], mount
        assert service["restart"] == "unless-stopped"
        assert "no-new-privileges:true" in service.get("security_opt", ()) or "deploy" in service  # a card
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        assert re.fullmatch(r"myna|[\w./-]+:v?\d[\w.]*", service["image"]), "an image of one version"


def test_the_watched_bot_has_settings_that_there_are_and_its_secrets_in_no_file_of_ours() -> None:
    services = compose("compose.full.yaml")["services"]
    others = {"POSTGRES_PASSWORD", "GRAFANA_PASSWORD"}

    assert set(services["myna"]["environment"]) <= SETTINGS | others
    assert all(services["myna"]["environment"][name] == "" for name in others)
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or value == "" or value.startswith("${"), name
    url = services["myna"]["environment"]["DATABASE_URL"]
    url = re.sub(r"\$\{[^}]*\}", "secret", url)
    assert Settings.from_env({"DATABASE_URL": url}).database_url is not None
    assert services["postgres"]["networks"] == ["inside"]
    assert services["myna"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_prometheus_and_grafana_find_what_they_are_pointed_at() -> None:
    services = compose("compose.full.yaml")["services"]
    inside = Path("/etc/myna")
    source = yaml.safe_load(read("deploy/grafana/provisioning/datasources/prometheus.yml"))["datasources"][0]
    provider = yaml.safe_load(read("deploy/grafana/provisioning/dashboards/myna.yml"))["providers"][0]
    (config,) = [one for one in services["prometheus"]["command"] if one.startswith("--config.file=")]

    for name in ("prometheus", "grafana"):
        assert f"./deploy:{inside}:ro" in services[name]["volumes"]
    for path in (
        config.partition("=")[2],
        provider["options"]["path"],
        services["grafana"]["environment"]["GF_PATHS_PROVISIONING"],
    ):
        assert (ROOT / "deploy" / Path(path).relative_to(inside)).exists(), path
    assert source["url"] == "http://prometheus:9090"
    scraped = [
        target
        for job in yaml.safe_load(read("deploy/prometheus.yml"))["scrape_configs"]
        for group in job["static_configs"]
        for target in group["targets"]
    ]
    port = services["myna"]["environment"]["METRICS_ADDRESS"].rpartition(":")[2]
    assert f"myna:{port}" in scraped
    dashboards = list((ROOT / "deploy" / "grafana").glob("*.json"))
    assert dashboards
    for dashboard in dashboards:
        used = set(_sources(json.loads(dashboard.read_text(encoding="utf-8"))))
        assert used <= {source["uid"], "-- Grafana --"}, dashboard.name


def _sources(part: object) -> Iterator[str]:
    """Yield the ids of all data sources in a dashboard."""
    if isinstance(part, dict):
        source = part.get("datasource")
        if isinstance(source, dict) and "uid" in source:
            yield source["uid"]
        for one in part.values():
            yield from _sources(one)
    elif isinstance(part, list):
        for one in part:
            yield from _sources(one)


def unit_of_this_machine(tmp_path: Path) -> Path:
    """Return the unit with a Python that there is, as systemd looks for it."""
    there = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    assert text.count("/opt/myna/.venv/bin/python") == 1
    there.write_text(text.replace("/opt/myna/.venv/bin/python", sys.executable), encoding="utf-8")
    return there


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize(
    "arguments", [["verify"], ["security", "--offline=true", "--threshold=20"]], ids=["sound", "tight"]
)
def test_systemd_takes_the_unit_and_finds_it_tight(tmp_path: Path, arguments: list[str]) -> None:
    ended = subprocess.run(
        ["systemd-analyze", *arguments, str(unit_of_this_machine(tmp_path))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert arguments != ["verify"] or ended.stderr + ended.stdout == ""


def test_the_unit_has_settings_that_there_are_and_leaves_a_wrong_one_alone() -> None:
    options = re.findall(r"^(\w+)=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    given = dict(options)

    assert {one.partition("=")[0] for one in given["Environment"].split()} <= SETTINGS | NOT_OURS
    assert given["RestartPreventExitStatus"] == "2"  # what a bad setting ends with: tests/test_main.py
    assert given["StateDirectory"] == "myna"
    assert "DATA_DIR=/var/lib/myna" in given["Environment"]
    assert int(given["TimeoutStopSec"]) >= 30


def container() -> dict[str, Any]:
    (found,) = KUBERNETES["StatefulSet", "myna"]["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def test_on_kubernetes_it_may_do_nothing_that_it_does_not_need() -> None:
    pod = KUBERNETES["StatefulSet", "myna"]["spec"]["template"]["spec"]
    user = int(re.findall(r"^USER (\d+):", last_stage(), re.MULTILINE)[0])

    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == user
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert "memory" in container()["resources"]["limits"]


def test_on_kubernetes_what_is_named_is_there() -> None:
    pod = KUBERNETES["StatefulSet", "myna"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    claims = KUBERNETES["StatefulSet", "myna"]["spec"]["volumeClaimTemplates"]
    volumes = {one["name"] for one in pod["spec"]["volumes"]} | {one["metadata"]["name"] for one in claims}
    secrets = set(re.findall(r"--from-literal=(\w+)=", read("deploy/kubernetes.yaml")))

    assert set(KUBERNETES["ConfigMap", "myna"]["data"]) | secrets <= SETTINGS
    assert Settings.from_env(KUBERNETES["ConfigMap", "myna"]["data"]) is not None
    assert {mount["name"] for mount in container()["volumeMounts"]} == volumes
    assert {mount["mountPath"] for mount in container()["volumeMounts"]} == {"/data", "/tmp"}
    assert [*container()["envFrom"][0], *container()["envFrom"][1]] == ["configMapRef", "secretRef"]
    for kind in ("StatefulSet", "PodDisruptionBudget"):
        assert KUBERNETES[kind, "myna"]["spec"]["selector"] == {"matchLabels": labels}
    assert KUBERNETES["Service", "myna"]["spec"]["selector"] == labels
    assert KUBERNETES["NetworkPolicy", "myna"]["spec"]["podSelector"] == {"matchLabels": labels}
    assert pod["spec"]["serviceAccountName"] == KUBERNETES["ServiceAccount", "myna"]["metadata"]["name"]
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    address = KUBERNETES["ConfigMap", "myna"]["data"]["METRICS_ADDRESS"]
    assert f"0.0.0.0:{ports['metrics']}" == address
    probes = [probe for name, probe in container().items() if name.endswith("Probe")]
    assert {probe["httpGet"]["path"] for probe in probes} == {"/health", "/ready"}
    assert {probe["httpGet"]["port"] for probe in probes} == {"metrics"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_use_actions_by_their_hash_and_no_more_rights_than_they_need(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    uses = re.findall(r"uses: *(.*)", text)

    assert uses
    for use in uses:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use), use
    assert workflow["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in text
    assert "secrets." not in text
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_the_image_is_released_for_amd64_and_arm64_with_an_sbom_and_a_provenance() -> None:
    workflow = yaml.safe_load(read(".github/workflows/image.yml"))
    job = workflow["jobs"]["publish"]
    (build,) = [step["with"] for step in job["steps"] if "build-push-action" in step.get("uses", "")]
    bases = re.findall(r"^FROM (\S+)", read("Dockerfile"), re.MULTILINE)

    assert job["permissions"] == {"contents": "read", "packages": "write"}
    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert (build["sbom"], build["provenance"], build["push"]) == (True, "mode=max", True)
    assert build["build-args"] == "PYTHON=${{ steps.names.outputs.base }}"
    assert set(bases) == {"${PYTHON}"}
    assert re.search(r"^ARG PYTHON=python:3\.\d+-slim$", read("Dockerfile"), re.MULTILINE)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_workflow_types_into_a_shell_can_be_parsed(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    for step in (step for job in jobs for step in job["steps"] if "run" in step):
        ended = subprocess.run(
            ["bash", "-n"], input=step["run"], capture_output=True, text=True, timeout=60, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, ""), step["run"]
