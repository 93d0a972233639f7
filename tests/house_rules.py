"""The rules of the house that a machine can check, as tables and as functions from modules to complaints."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

GROUND = ("bot.errors", "bot.limits", "bot.models")

MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    # Who may import which of our own modules. The longest name that fits counts; a part may import itself.
    "bot": (),
    "bot.errors": (),
    "bot.limits": (),
    "bot.models": (),
    "bot.allocator": (),
    "bot.metrics": (),
    "bot.logs": (),
    "bot.settings": (*GROUND, "untrusted.confinement"),
    "bot.data_folder": (*GROUND, "bot.library", "bot.settings"),  # the names of what is in it
    "bot.start": (*GROUND, "bot", "bot.data_folder", "bot.settings", "bot.tts"),
    "bot.text": GROUND,
    "bot.audio": (*GROUND, "bot.text.speaking_time", "untrusted"),  # a generation is judged by its text
    "bot.audio.maker_process": (*GROUND, "bot.audio", "bot.settings"),  # what a child of ours inherits
    "bot.audio.maker_child": (*GROUND, "bot.allocator", "bot.audio", "untrusted"),  # it sets up a process
    "bot.tts": (*GROUND, "bot", "bot.metrics", "bot.settings", "untrusted"),
    "bot.playback": (*GROUND, "bot.audio", "bot.metrics"),
    "bot.library": (
        *GROUND,
        "bot",
        "bot.metrics",
        "bot.text.characters",
    ),  # a name is as long as people count it
    # kept speech is found again, and deleted, by whom it concerns
    "bot.speech": (
        *GROUND,
        "bot.audio.maker",
        "bot.library.cached_speeches",
        "bot.library.usage",
        "bot.metrics",
        "bot.text",
        "bot.tts",
    ),
    "bot.conditions": (*GROUND, "bot.library", "bot.tts"),
    "bot.interaction": (*GROUND, "bot.library.voice", "bot.playback"),
    "bot.delivery": (
        *(*GROUND, "bot", "bot.audio", "bot.conditions", "bot.interaction", "bot.library", "bot.playback"),
        *("bot.settings", "bot.speech", "bot.text", "untrusted.mark"),  # what is made here is marked
    ),
    "bot.command_tree": (*GROUND, "bot.delivery.reply"),
    "bot.reading": (
        *(*GROUND, "bot.delivery", "bot.interaction", "bot.library", "bot.playback", "bot.speech"),
        *("bot.text", "untrusted.strict_json"),  # a dictionary comes as a file
    ),
    "bot.supervisor": ("bot.data_folder",),  # where its processes say that they are connected
    "bot.shards": (*GROUND, "bot.library", "bot.playback", "bot.reading"),
    "bot.speech_bot": ("bot.*",),  # the only place where objects are built
    "bot.monitor": ("bot", "bot.metrics", "bot.playback", "bot.settings", "bot.speech_bot"),
    "bot.check": ("bot.*", "untrusted.decoder"),
    "bot.erasure": ("bot.*",),
    "bot.status": ("bot.*",),
    "bot.__main__": ("bot.*", "untrusted.confinement"),
    "cogs": (
        *(*GROUND, "bot.command_tree", "bot.delivery", "bot.interaction", "bot.library"),
        *("bot.playback", "bot.reading", "bot.speech_bot", "bot.text"),
    ),
    "untrusted": (),
    "tts_gateway": ("untrusted",),
    "rehearsal": ("bot.*",),  # it runs the bot; the cogs are loaded by name
    "rehearsal.faulty_tts_gateway": ("tts_gateway",),  # it wraps the server that is shipped
    "rehearsal.recordings.make": ("bot.*", "rehearsal.*", "tts_gateway.engines"),  # run by hand, once
    "benchmarks": ("bot.*", "cogs.*", "untrusted.*", "tts_gateway.*", "rehearsal.*"),
    "tests": ("bot.*", "cogs.*", "untrusted.*", "tts_gateway.*", "rehearsal.*", "benchmarks.*"),
}

_DISCORD = (
    *("bot.speech_bot", "bot.command_tree", "bot.interaction", "bot.delivery", "bot.playback", "cogs"),
    "bot.reading",
    *("bot.start", "bot.check", "bot.erasure", "bot.shards"),  # to name the errors of a login
    "bot.conditions",  # it writes to who owns the application
)
ONLY_IN: Mapping[str, tuple[str, ...]] = {
    # Where a library of others may be imported; the tests and the benchmarks may import all of these.
    # speech_bot, check: the type of a connector; the others: discord.py lets the errors of aiohttp through
    "aiohttp": (
        *("bot.tts", "bot.speech_bot", "bot.start", "bot.delivery.offer", "bot.delivery.history"),
        *("bot.delivery.voice_creation", "bot.check", "bot.erasure", "bot.monitor", "tts_gateway"),
        "rehearsal",
    ),
    "av": ("bot.audio", "untrusted", "rehearsal.voice"),
    "pydub": ("bot.audio",),
    "discord": _DISCORD,
    "davey": ("bot.playback", "rehearsal.voice"),
    "nacl": ("bot.playback", "rehearsal.voice"),
    "sqlalchemy": ("bot.library",),
    "alembic": ("bot.library",),
    "aiosqlite": ("bot.library",),
    "asyncpg": ("bot.library",),
    "babel": ("bot.text",),
    "emoji": ("bot.text",),
    "regex": ("bot.text", "rehearsal.rules"),
    "sentencex": ("bot.text",),
    "dotenv": ("bot.settings",),
    "prometheus_client": ("bot.metrics", "bot.monitor"),
    "espeakng_loader": ("tts_gateway.engines",),
    "requests": (),  # it blocks the loop
}
NOWHERE = ("unittest.mock", "mock")

READS_ENVIRONMENT = (
    "bot.settings",
    "untrusted.confinement",  # takes secrets out of it
    "untrusted.decoder",  # what Windows needs to start a child at all; no setting
)
MAX_LINES = 600
MAX_TEST_NAME = 90
SMALL_LINES = 80
SMALL: Mapping[str, str] = {
    # A module with fewer lines that a single other one imports needs a reason to stand alone.
    "bot.allocator": "it sets up the process, before there is anything else",
    "tts_gateway.metrics": "what is counted, and how Prometheus reads it",
    "cogs.voice_design": "how three generations are given, chosen from, and made anew",
}
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"}
_FREE = ("tests", "benchmarks")


@dataclass(frozen=True)
class Module:
    """One Python file of ours: ``name`` as it is imported (a package is named without ``__init__``)."""

    name: str
    source: str

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.source)))

    @cached_property
    def imports(self) -> list[tuple[str, int]]:
        """What is imported, wherever in the file, with the line: ``a.b`` also for ``from a import b``."""
        return [found for node in self.nodes for found in _imports_of(node)]


Rule = Callable[[Mapping[str, Module]], list[str]]


def read_modules(root: Path, packages: tuple[str, ...] = tuple(MAY_IMPORT)) -> dict[str, Module]:
    """Return every module below ``root`` that belongs to one of our packages, by name."""
    found = {}
    for package in sorted({name.partition(".")[0] for name in packages}):
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, path.read_text(encoding="utf-8"))
    return found


def _imports_of(node: ast.AST) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, node.lineno) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((f"{node.module or '.'}.{alias.name}", node.lineno) for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        if function in ("__import__", "import_module"):
            yield str(node.args[0].value), node.lineno


def _within(name: str, parts: tuple[str, ...] | list[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _of_ours(name: str, modules: Mapping[str, Module]) -> str | None:
    """Return the module of ours that importing ``name`` reaches, if it is one."""
    return (
        name if name in modules else name.rpartition(".")[0] if name.rpartition(".")[0] in modules else None
    )


def borders(modules: Mapping[str, Module]) -> list[str]:
    """Complain about imports of our own modules that `MAY_IMPORT` does not allow."""
    complaints = []
    for module in modules.values():
        part = max((key for key in MAY_IMPORT if _within(module.name, (key,))), key=len)
        if part == "bot" and module.name != "bot":
            complaints.append(f"{module.name}: a new part of bot needs a row in MAY_IMPORT")
        for name, line in module.imports:
            target = _of_ours(name, modules)
            if target is None or target == module.name or (part != "bot" and _within(target, (part,))):
                continue
            if not any(_allows(allowed, target) for allowed in MAY_IMPORT[part]):
                complaints.append(f"{module.name}:{line} imports {target}")
    return complaints


def _allows(allowed: str, target: str) -> bool:
    if allowed == "bot":  # the version; a prefix would allow everything
        return target == "bot"
    return _within(target, (allowed.removesuffix(".*"),))


def libraries(modules: Mapping[str, Module]) -> list[str]:
    """Complain about libraries of others outside the place that `ONLY_IN` gives them."""
    complaints = []
    for module in modules.values():
        for name, line in module.imports:
            allowed = ONLY_IN.get(name.partition(".")[0])
            outside = allowed is not None and not _within(module.name, (*allowed, *_FREE))
            if outside or _within(name, NOWHERE):
                complaints.append(f"{module.name}:{line} imports {name}")
    return complaints


def environment(modules: Mapping[str, Module]) -> list[str]:
    """Complain about readers of the environment other than the settings."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "expandvars"}
    complaints = []
    for module in modules.values():
        if _within(module.name, (*READS_ENVIRONMENT, *_FREE)):
            continue
        for node in module.nodes:
            read = isinstance(node, ast.Attribute) and node.attr in names and "os" in ast.unparse(node.value)
            imported = (
                isinstance(node, ast.ImportFrom)
                and node.module == "os"
                and names & {a.name for a in node.names}
            )
            if read or imported:
                complaints.append(f"{module.name}:{getattr(node, 'lineno', 0)} reads the environment")
    return complaints


def tts_gateway_names(modules: Mapping[str, Module]) -> list[str]:
    """Complain about names of ours in which "gateway" does not follow "tts".

    In Discord's documents and in discord.py the word alone is Discord's websocket. Here it is the HTTP
    service that makes speech, so it is never alone. Attributes of other people's objects are theirs.
    """
    complaints = []
    for module in modules.values():
        names = [(part, 0) for part in module.name.split(".")]
        names += [name for node in module.nodes for name in _names_given(node)]
        for name, line in names:
            words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
            for before, word in zip(["", *words], words, strict=False):
                if word.lower() in ("gateway", "gateways") and before.lower() != "tts":
                    complaints.append(f"{module.name}:{line} names something {name!r}")
    return complaints


def _names_given(node: ast.AST) -> Iterator[tuple[str, int]]:
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, line
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id, line
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr, line
    elif isinstance(node, ast.arg):
        yield node.arg, line
    elif isinstance(node, ast.alias) and node.asname:
        yield node.asname, line
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs) and node.name:
        yield node.name, line


def empty_names(modules: Mapping[str, Module]) -> list[str]:
    """Complain about modules that are named for what they are not."""
    return [name for name in modules if EMPTY_NAMES & set(re.split(r"[._]", name))]


def cycles(modules: Mapping[str, Module]) -> list[str]:
    """Complain about modules that import each other, lazily or not."""
    edges = {}
    for module in modules.values():
        targets = {_of_ours(name, modules) for name, _ in module.imports}
        edges[module.name] = sorted(target for target in targets if target and target != module.name)
    complaints: list[str] = []
    done: set[str] = set()
    for start in edges:
        _walk(start, edges, [], done, complaints)
    return complaints


def _walk(
    name: str, edges: Mapping[str, list[str]], way: list[str], done: set[str], complaints: list[str]
) -> None:
    if name in way:
        complaints.append(" -> ".join([*way[way.index(name) :], name]))
    elif name not in done:
        for target in edges[name]:
            _walk(target, edges, [*way, name], done, complaints)
        done.add(name)


def type_checking_blocks(modules: Mapping[str, Module]) -> list[str]:
    """Complain about imports for the type checker only: where one is needed, the layers are wrong."""
    return [
        f"{module.name}:{node.lineno}"
        for module in modules.values()
        for node in module.nodes
        if (isinstance(node, ast.Name) and node.id == "TYPE_CHECKING")
        or (isinstance(node, ast.Attribute) and node.attr == "TYPE_CHECKING")
    ]


def lengths(modules: Mapping[str, Module]) -> list[str]:
    """Complain about files with more than `MAX_LINES` lines: there is a second noun in them."""
    counts = {name: len(module.source.splitlines()) for name, module in modules.items()}
    return [f"{name}: {count} lines" for name, count in counts.items() if count > MAX_LINES]


def shallow(modules: Mapping[str, Module]) -> list[str]:
    """Complain about small modules that only one other imports, unless `SMALL` says why they stand alone."""
    importers: dict[str, set[str]] = {name: set() for name in modules}
    for module in modules.values():
        if _within(module.name, _FREE):
            continue
        for name, _ in module.imports:
            target = _of_ours(name, modules)
            if target is not None and target != module.name:
                importers[target].add(module.name)
    return [
        f"{name}: {len(modules[name].source.splitlines())} lines, and only {', '.join(found)} imports it"
        for name, found in importers.items()
        if len(found) == 1
        and len(modules[name].source.splitlines()) < SMALL_LINES
        and not any(other.startswith(f"{name}.") for other in modules)  # a package says what is in it
        and name not in SMALL
        and not _within(name, _FREE)
    ]


def class_names(modules: Mapping[str, Module]) -> list[str]:
    """Complain about two public classes of one name in what is shipped: a reader takes one for the other."""
    places: dict[str, list[str]] = {}
    for module in modules.values():
        if not _within(module.name, _FREE):
            for node in module.nodes:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places.setdefault(node.name, []).append(module.name)
    return [f"{', '.join(found)}: each has a {name}" for name, found in places.items() if len(found) > 1]


def names_of_tests(modules: Mapping[str, Module]) -> list[str]:
    """Complain about names of tests that nobody can scan: too long, or with a code that says nothing."""
    return [
        f"{module.name}: {node.name}"
        for module in modules.values()
        for node in module.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and (len(node.name) > MAX_TEST_NAME or re.match(r"test_[a-z]\d+_", node.name))
    ]
