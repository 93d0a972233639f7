from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import house_rules
from tests.house_rules import MAX_LINES, Module, Rule, read_modules

ROOT = Path(__file__).parent.parent
_PARTS = sorted(path.parent.name for path in ROOT.glob("bot/*/__init__.py"))
RULES = [
    house_rules.borders,
    house_rules.libraries,
    house_rules.environment,
    house_rules.tts_gateway_names,
    house_rules.empty_names,
    house_rules.cycles,
    house_rules.type_checking_blocks,
    house_rules.lengths,
    house_rules.class_names,
    house_rules.names_of_tests,
]
_OTHER_FOLDERS = {".git", ".venv", "data", "rehearsal-output", "results", "__pycache__"}
_MACHINE_PATH = re.compile(r"(?<![\w.)}/-])/(?:work|root)/")


@pytest.mark.slow
def test_the_house_keeps_every_rule() -> None:
    modules = read_modules(ROOT)  # once, and in one process: it is parsed for seconds and fills much memory

    assert [complaint for rule in (*RULES, house_rules.shallow) for complaint in rule(modules)] == []


def test_the_rules_look_at_the_whole_house() -> None:
    modules = read_modules(ROOT)
    for name in (
        "bot",
        "bot.settings",
        "bot.text.speakable",
        "cogs",
        "tts_gateway",
        "rehearsal",
        "tests.test_architecture",
    ):
        assert name in modules
    for part in house_rules.MAY_IMPORT:
        assert part in modules, f"{part} has a row in MAY_IMPORT and does not exist"


VIOLATIONS = [
    (house_rules.borders, "bot/text/a.py", "import cogs"),
    (house_rules.borders, "bot/text/a.py", "def f():\n    from cogs import speak"),
    (house_rules.borders, "bot/text/a.py", "import importlib\nimportlib.import_module('cogs.speak')"),
    (house_rules.borders, "bot/text/a.py", "from bot.tts import client"),
    (house_rules.borders, "bot/text/a.py", "from bot.tts.client import TTSClient"),
    (house_rules.borders, "bot/errors.py", "import bot.limits"),
    (house_rules.borders, "bot/audio/a.py", "from bot import settings"),
    (house_rules.borders, "bot/command_tree.py", "import bot.speech_bot"),
    (house_rules.borders, "bot/speech_bot.py", "import rehearsal"),
    (house_rules.borders, "bot/new_part.py", "x = 1"),
    (house_rules.borders, "cogs/speak.py", "from bot.tts.client import TTSClient"),
    (house_rules.borders, "cogs/speak.py", "import bot.settings"),
    (house_rules.borders, "tts_gateway/a.py", "from bot import errors"),
    (house_rules.borders, "rehearsal/a.py", "from cogs import speak"),
    (house_rules.borders, "rehearsal/a.py", "import tts_gateway"),
    (house_rules.libraries, "bot/text/a.py", "import discord"),
    (house_rules.libraries, "bot/tts/client.py", "from discord.ext import commands"),
    (house_rules.libraries, "rehearsal/a.py", "import discord.gateway"),
    (house_rules.libraries, "cogs/speak.py", "import aiohttp"),
    (house_rules.libraries, "bot/playback/a.py", "import av"),
    (house_rules.libraries, "rehearsal/a.py", "import davey"),
    (house_rules.libraries, "rehearsal/a.py", "def f():\n    import nacl.secret"),
    (house_rules.libraries, "rehearsal/voice/a.py", "from pydub import AudioSegment"),
    (house_rules.libraries, "bot/text/a.py", "import sqlalchemy.orm"),
    (house_rules.libraries, "cogs/speak.py", "from alembic import op"),
    (house_rules.libraries, "tests/a.py", "from unittest.mock import Mock"),
    (house_rules.libraries, "tests/a.py", "from unittest import mock"),
    (house_rules.environment, "bot/text/a.py", "import os\nx = os.environ['X']"),
    (house_rules.environment, "bot/text/a.py", "import os\nx = os.getenv('X')"),
    (house_rules.environment, "bot/text/a.py", "from os import environ as e"),
    (house_rules.tts_gateway_names, "bot/text/a.py", "gateway = 1"),
    (house_rules.tts_gateway_names, "bot/text/a.py", "def open_gateway(): ..."),
    (house_rules.tts_gateway_names, "bot/text/a.py", "def f(gateway_url): ..."),
    (house_rules.tts_gateway_names, "bot/text/a.py", "class GatewayClient: ..."),
    (house_rules.tts_gateway_names, "bot/text/a.py", "import discord.gateway as gateway"),
    (house_rules.tts_gateway_names, "bot/text/a.py", "class A:\n    def f(self):\n        self.gateway = 1"),
    (house_rules.tts_gateway_names, "bot/text/gateway.py", "x = 1"),
    (house_rules.empty_names, "bot/text/utils.py", "x = 1"),
    (house_rules.empty_names, "tests/voice_helpers.py", "x = 1"),
    (house_rules.cycles, "bot/tts/client.py", "def f():\n    import bot.text.a"),
    (
        house_rules.type_checking_blocks,
        "bot/text/a.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING: ...",
    ),
    (house_rules.class_names, "bot/text/a.py", "class OurError: ..."),
    (house_rules.lengths, "bot/text/a.py", "x = 1\n" * (MAX_LINES + 1)),
    (house_rules.names_of_tests, "tests/b.py", "def test_v2_it_moves(): ..."),
    (house_rules.names_of_tests, "tests/b.py", f"async def test_{'x' * 90}(): ..."),
]


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A small house in which every rule is kept."""
    sources = {
        "bot/__init__.py": "__version__ = '1'",
        "bot/errors.py": "class OurError(Exception): ...",
        "bot/limits.py": "",
        "bot/settings.py": "import os, dotenv\nfrom bot.limits import x\ny = os.environ",
        "bot/text/__init__.py": "",
        "bot/text/a.py": "from bot.errors import OurError\nimport regex",
        "bot/tts/__init__.py": "",
        "bot/tts/client.py": "import aiohttp\nfrom bot import __version__\nfrom bot.settings import Secret",
        "bot/audio/__init__.py": "",
        "bot/command_tree.py": "import discord\ntts_gateway = discord.gateway\nOwnTTSGateway = 1",
        "bot/speech_bot.py": "import bot.command_tree\nimport bot.tts.client",
        "cogs/__init__.py": "",
        "cogs/speak.py": "import discord\nfrom bot.speech_bot import SpeechBot",
        "tts_gateway/__init__.py": "import aiohttp",
        "rehearsal/__init__.py": "from bot.speech_bot import SpeechBot",
        "tests/a.py": "import os, discord\nimport cogs.speak\nx = os.environ",
    }
    for path, source in sources.items():
        _write(tmp_path / path, source)
    return tmp_path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_does_not_complain_about_a_house_in_order(rule: Rule, sample: Path) -> None:
    assert rule(read_modules(sample)) == []


@pytest.mark.parametrize(("rule", "path", "source"), VIOLATIONS)
def test_a_rule_finds_what_breaks_it(rule: Rule, path: str, source: str, sample: Path) -> None:
    if rule is house_rules.cycles:
        _write(sample / "bot/text/a.py", "from bot.tts import client")
    _write(sample / path, source)

    complaints = rule(read_modules(sample))

    assert len(complaints) == 1
    assert path.removesuffix(".py").replace("/", ".") in complaints[0]


def test_a_small_module_with_one_importer_is_found_unless_a_reason_is_given() -> None:
    modules = {
        "bot.text.a": Module("bot.text.a", "import bot.text.b, bot.allocator"),
        "bot.text.b": Module("bot.text.b", "x = 1"),
        "bot.allocator": Module("bot.allocator", "x = 1"),
    }

    assert house_rules.shallow(modules) == ["bot.text.b: 1 lines, and only bot.text.a imports it"]


def test_a_cycle_is_found_however_long_it_is() -> None:
    ring = [f"bot.text.m{number}" for number in range(30)]
    modules = {
        name: Module(name, f"import {following}")
        for name, following in zip(ring, [*ring[1:], ring[0]], strict=True)
    }

    assert len(house_rules.cycles(modules)) == 1


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    knowing = [
        str(path.relative_to(ROOT))
        for path in _files()
        if _MACHINE_PATH.search(path.read_text("utf-8", "replace"))
    ]

    assert knowing == []


def test_a_path_of_this_machine_would_be_found() -> None:
    for text in ("/wor" + "k/main/bot", "see '/roo" + "t/.cache'", "cd /wor" + "k/x"):
        assert _MACHINE_PATH.search(text), text
    for text in ("https://example.com/work/x", "./work/x", "a/root/b"):
        assert not _MACHINE_PATH.search(text), text


def _files() -> Iterator[Path]:
    endings = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".example", ".cfg", ".ini", ".sh", ""}
    for path in sorted(ROOT.rglob("*")):
        inside = set(path.relative_to(ROOT).parts[:-1])
        cached = any(part.endswith("_cache") or part == ".hypothesis" for part in inside)
        if path.name == ".git":  # where the checkout is a linked worktree, it holds a path of the machine
            continue
        if path.is_file() and path.suffix in endings and not inside & _OTHER_FOLDERS and not cached:
            yield path


def _write(path: Path, source: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source + "\n", encoding="utf-8")


def test_the_page_on_the_architecture_names_every_file_and_no_other() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)

    for package in ("bot", *(f"bot/{name}" for name in _PARTS), "cogs", "untrusted", "tts_gateway"):
        (section,) = [one for one in sections if one.startswith(f"{package}:")]
        named = set(re.findall(r"`(?:engines/)?(\w+\.py)`", section))
        folders = [ROOT / package, ROOT / package / "engines", ROOT / package / "models"]
        there = {path.name for folder in folders for path in folder.glob("*.py")} - {"__init__.py"}
        assert named == there, package
    assert {name for name in _PARTS if f"## bot/{name}:" not in page} == set()
