"""README and docs/: what they name exists, and the README stays short."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from pathlib import Path

import pytest
from discord import app_commands

from bot.interaction import INVITED
from bot.settings import Settings
from tests.scenes import open_scene
from tts_gateway.engines.offline import OfflineEngine

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MAX_README_LINES = 80
MAX_README_WORDS = 700
"""With one picture these are three screens."""

NO_COMMANDS = {"/proc", "/data", "/metrics", "/ready", "/health"}
"""What begins with a slash in the docs and is a path."""


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors_in(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code_in(page: Path) -> list[str]:
    """Return what stands between backticks, and each line of the blocks."""
    text = text_of(page)
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    return [*inline, *(line for block in blocks for line in block.splitlines())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.is_file(), target
        if anchor:
            assert anchor in anchors_in(there), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_line_to_type_can_be_typed(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE)
    for line in code_in(page):
        for target in re.findall(r"\bmake ([a-z-]+)", line):
            assert target in targets, line
        for module in re.findall(r"-m ([\w.]+)", line):
            assert importlib.util.find_spec(module) is not None, line


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "contributing.md"], ids=lambda p: p.name
)
def test_nothing_is_typed_with_a_python_that_lacks_the_packages(page: Path) -> None:
    for line in code_in(page):
        bare = re.search(r"(?<![/\\\w])python3? -m (bot|rehearsal|tts_gateway|benchmarks)\b", line)
        assert bare is None or "docker" in line or "kubectl" in line, line


@pytest.mark.slow
async def test_every_command_that_the_pages_name_exists(tmp_path: Path) -> None:
    async with open_scene(tmp_path / "data", OfflineEngine()) as scene:
        commands = [
            command
            for command in scene.bot.tree.walk_commands()
            if isinstance(command, app_commands.Command | app_commands.Group)
        ]
        known = {f"/{command.qualified_name}" for command in commands}
        menus = {command.name for command in scene.bot.tree.get_commands() if f"/{command.name}" not in known}
    groups = {f"/{command.qualified_name}" for command in commands if isinstance(command, app_commands.Group)}

    for page in PAGES:
        for code in code_in(page):
            found = re.match(r"(/[a-z]+)(?![\w/-])(?: ([a-z-]+)(?![\w:]))?", code)
            if found is None or found[1] in NO_COMMANDS:
                continue
            first, second = found.groups()
            assert first in known, f"{page.name}: {code}"
            assert first not in groups or second is None or f"{first} {second}" in known, (
                f"{page.name}: {code}"
            )
        for menu in re.findall(r"Apps, \*\*([^*]+)\*\*", text_of(page)):
            assert menu in menus, f"{page.name}: {menu}"


def test_every_setting_is_explained_where_operators_look() -> None:
    table = text_of(ROOT / "docs" / "operating.md").split("## Settings")[1].split("\n### ")[0]
    named = {
        name
        for line in table.splitlines()
        for name in re.findall(r"`([A-Z][A-Z_]+)`", line.partition("| ")[2].partition(" |")[0])
    }

    assert named == {field.name.upper() for field in dataclasses.fields(Settings)}


def test_the_permissions_of_the_invitation_are_listed_where_operators_look() -> None:
    listed = re.search(
        r"asks for exactly these permissions: ([^;]+);", text_of(ROOT / "docs" / "operating.md")
    )
    assert listed is not None
    names = {name.strip().lower().replace(" ", "_") for name in listed[1].split(",")}

    assert {"read_messages" if name == "view_channels" else name for name in names} == {
        name for name, is_asked in INVITED if is_asked
    }


def test_the_readme_is_three_screens() -> None:
    readme = text_of(ROOT / "README.md")

    assert len([line for line in readme.splitlines() if line.strip()]) <= MAX_README_LINES
    assert len(re.sub(r"\]\([^)]+\)", "", readme).split()) <= MAX_README_WORDS
    assert readme.count("![") == 1


def test_the_readme_and_the_example_say_where_the_key_comes_from() -> None:
    for path in ("README.md", "docs/operating.md", ".env.example"):
        text = text_of(ROOT / path)
        assert "Pixazo" in text and "https://www.pixazo.ai/models/voxcpm" in text, path
