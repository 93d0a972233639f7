"""Every pattern and every text function, with every hostile text: cost grows as the text does."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import random
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any, Final

import pytest
import regex

import bot
import bot.text
import cogs
import rehearsal
import tts_gateway
import untrusted
from bot.errors import MemberError
from bot.library import voice as voice_names
from bot.limits import MAX_OPTION_CHARS, MAX_TEXT_GRAPHEMES
from bot.logs import RedactingFormatter
from bot.models import Line
from bot.settings import Secret
from bot.text.characters import count_characters, first_characters
from bot.text.dialogue import check_lines, lines_of
from bot.text.discord_markup import Names, opened_pieces, pieces, resolve_names
from bot.text.labels import check_style, excerpt, file_stem, one_line, quote
from bot.text.notation import calm
from bot.text.segments import Segmenter
from bot.text.speakable import check_text, speakable
from bot.tts import http, wire
from tests.house_rules import Module, read_modules
from tests.test_architecture import ROOT
from tests.text.growth import OF_A_FUNCTION, OF_A_PATTERN, cost, excess, uses
from tests.text.hostile_texts import ALPHABETS, hostile_texts

_PACKAGES: Final = (bot, cogs, rehearsal, tts_gateway, untrusted)
_NOT_IMPORTED: Final = (
    *("bot.library.migrations.env", "bot.library.migrations.versions"),  # alembic runs them
    "tts_gateway.engines.sherpa_child",  # what it imports is an extra
)
_TEXTS: Final = list(hostile_texts())
_TEXTS_OF_FUNCTIONS: Final = list(
    hostile_texts(with_every_end=False)
)  # which have been tried on their patterns

_SAMPLE: Final = 12
"""So many texts `make test` tries on everything; `make test-slow` tries all of them."""

OLD: Final = {
    # What stood here before, and what it was broken with.
    "a scheme, folded fully": r"(?<![\w.-])(?:[\w-]{1,63}\.){1,4}(?:com|css)(?![\w-]|\.\w)",
    "an e-mail address, folded fully": r"(?<![\w.+-])[\w.+-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,24}\b",
    "at signs without an anchor": r"@+(everyone|here)\b",
    "marks in front of an end": r"^[\s/>*_~-]++|[\s*_~]++$",
    "flags counted anew": r"\X",
    "a scan from every place": r"(?:[a-z]{0,20}://)?(?:[^/?#@]*+@)?(?P<host>[^/?#:]*+)",
    "a repeat in a repeat": r"(?:a+)+$",
}


def _modules() -> Iterator[ModuleType]:
    for package in _PACKAGES:
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.startswith(_NOT_IMPORTED):
                yield importlib.import_module(found.name)


def _patterns_in(value: object, name: str, depth: int = 3) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Yield the compiled patterns in a module, in what its names stand for, and in its classes."""
    if isinstance(value, re.Pattern | regex.Pattern):
        yield name, value
    elif depth and isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _patterns_in(inner, f"{name}.{key}", depth - 1)
    elif depth and isinstance(value, tuple | list | frozenset | set):
        for number, inner in enumerate(value):
            yield from _patterns_in(inner, f"{name}.{number}", depth - 1)
    elif depth and inspect.isclass(value) and value.__module__.partition(".")[0] in _NAMES:
        yield from _patterns_in(dict(vars(value)), name, depth - 1)


_NAMES: Final = {package.__name__ for package in _PACKAGES}
_FOUND: Final = {
    id(pattern): (name, pattern)  # once, though several modules import it
    for module in _modules()
    for name, pattern in _patterns_in(dict(vars(module)), module.__name__)
}
PATTERNS: Final[dict[str, re.Pattern[Any]]] = dict(_FOUND.values())


def test_the_patterns_are_found_wherever_they_stand():
    assert "bot.text.discord_markup._URL" in PATTERNS
    assert "bot.logs._PATTERNS.0.0" in PATTERNS
    assert "bot.text.speaking_time._LETTERS.0.0" in PATTERNS
    assert "rehearsal.rules.commands._NAME" in PATTERNS
    assert "tts_gateway.engines.descriptions._WORD" in PATTERNS
    assert any(pattern.pattern.startswith("take:") for pattern in PATTERNS.values()), "that of a button"
    assert len(PATTERNS) > 120


def test_there_are_alphabets_enough():
    assert len(ALPHABETS) > 60
    assert len(_TEXTS) > 1_000
    assert all(len(text_of(length)) == length for _, text_of in _TEXTS for length in (64, 1_000))


@pytest.mark.slow
@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_takes_time_in_proportion_to_any_text(name: str):
    use = uses(PATTERNS[name])

    assert _excesses(use, _TEXTS, OF_A_PATTERN) == []


def test_every_pattern_takes_time_in_proportion_to_a_sample_of_texts():
    texts = _sample(_TEXTS)

    found = {name: _excesses(uses(pattern), texts, OF_A_PATTERN) for name, pattern in PATTERNS.items()}

    assert {name: excesses for name, excesses in found.items() if excesses} == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", OLD)
def test_a_pattern_that_does_not_is_found(name: str):
    use = uses(regex.compile(OLD[name], regex.V1 | regex.IGNORECASE))

    assert len(_excesses(use, _TEXTS, OF_A_PATTERN)) == 1


def _reader_of(function: Callable[..., object]) -> Callable[[str], object]:
    """Return what gives ``function`` a text; a refusal is an answer."""

    def read(text: str) -> None:
        with suppress(MemberError):
            function(text)

    return read


def _segments(text: str) -> None:
    segmenter = Segmenter(text)
    while segmenter.next(12):
        pass


def _is_public(function: object, module: ModuleType) -> bool:
    return (
        (inspect.isfunction(function) or inspect.isclass(function))
        and function.__module__ == module.__name__
        and not function.__name__.startswith("_")
    )


def _reads_texts(function: Callable[..., object]) -> bool:
    return any(
        parameter.annotation in ("str", "str | None", "Iterable[str]") for parameter in _parameters(function)
    )


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


def _text_functions() -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield every public function and class of `bot.text` that is given a text."""
    for found in pkgutil.iter_modules(bot.text.__path__, "bot.text."):
        module = importlib.import_module(found.name)
        for name, function in vars(module).items():
            if _is_public(function, module) and _reads_texts(function) and name not in _OF_NO_TEXT:
                yield f"{module.__name__}.{name}", function


_OF_NO_TEXT: Final = {
    "pattern": "compiles what is written here",
    "Segment": "a result",
    "Piece": "a result",
    "OurWords": "a row of a table",
    "Phrases": "a row of a table",
    "segmenter": "a Segmenter, in a thread",
}
_FORMATTER: Final = RedactingFormatter("text", ["a1 /-.ßword-0123456789abcdef"])
_KEY: Final = Secret("a1 /-.ßword-0123456789abcdef")
_DETAIL: Final = "Cannot say word a1 \\u0061 in a text of 4,000 characters. " * 4  # all that is kept of one
_WITH_MORE: Final[dict[str, Callable[[str], object]]] = {
    # Those that want more than a text, and those of other parts.
    "bot.text.characters.first_characters": lambda text: first_characters(text, MAX_TEXT_GRAPHEMES),
    "bot.text.dialogue.lines_of": lambda text: lines_of(
        text, lambda label: label if len(label) < 3 else None
    ),
    "bot.text.dialogue.check_lines": lambda text: check_lines([Line(None, text)]),
    "bot.text.discord_markup.resolve_names": lambda text: resolve_names(
        text, Names(members={1: "\u0600" + text[:100]})
    ),
    "bot.text.discord_markup.Names.of": lambda text: Names(members={1: text}).of("@", 1),
    "bot.text.segments.Segmenter": _segments,
    "bot.text.discord_markup.pieces": lambda text: list(pieces(text)),
    "bot.text.discord_markup.opened_pieces": lambda text: list(opened_pieces(text)),
    "bot.text.labels.quote": lambda text: quote(text, Names(members={1: "\u0600" + text[:100]})),
    "bot.text.notation.calm, Japanese": lambda text: calm(text, "ja"),
    "bot.text.notation.calm, Chinese": lambda text: calm(text, "zh"),
    "bot.text.notation.calm, Thai": lambda text: calm(text, "th"),
    "bot.library.voice.check_name": voice_names.check_name,
    "bot.library.voice.name_key": voice_names.name_key,
    "bot.tts.wire.text_with_style": lambda text: wire.text_with_style(text, text),
    "bot.tts.wire.printable": wire.printable,
    "bot.tts.wire.text_of_page": wire.text_of_page,
    "bot.tts.http.seconds_to_wait, a detail": lambda text: http.seconds_to_wait({}, text),
    "bot.tts.http.seconds_to_wait, a header": lambda text: http.seconds_to_wait({"Retry-After": text}),
    "bot.tts.http.without_key": lambda text: http.without_key(text, _KEY),
    "bot.tts.wire.error_detail, plain": lambda text: wire.error_detail(text.encode("utf-8", "replace"), _KEY),
    "bot.tts.wire.error_detail, JSON": lambda text: wire.error_detail(json.dumps([text]).encode(), _KEY),
    "bot.tts.wire.without_words_of": lambda text: wire.without_words_of(
        json.dumps({"text": text}).encode(), _DETAIL
    ),
    "bot.logs.RedactingFormatter.redact": _FORMATTER.redact,
}
FUNCTIONS: Final[dict[str, Callable[..., object]]] = {**dict(_text_functions()), **_WITH_MORE}


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_takes_time_in_proportion_to_any_text(name: str):
    wants = [one for one in _parameters(FUNCTIONS[name]) if one.default is one.empty]
    assert len(wants) == 1, f"{name} wants more than a text: say in _WITH_MORE what to give it"

    assert _excesses(_reader_of(FUNCTIONS[name]), _TEXTS_OF_FUNCTIONS, OF_A_FUNCTION) == []


@pytest.mark.slow
def test_every_function_takes_time_in_proportion_to_a_sample_of_texts():
    texts = _sample(_TEXTS_OF_FUNCTIONS)

    found = {name: _excesses(_reader_of(read), texts, OF_A_FUNCTION) for name, read in FUNCTIONS.items()}

    assert {name: excesses for name, excesses in found.items() if excesses} == {}


@pytest.mark.parametrize(
    "read",
    [speakable, check_text, lambda text: lines_of(text, lambda _: None), check_style, voice_names.check_name],
)
@pytest.mark.parametrize("piece", ["a", "@", "ß", "\u0301", "🇫"])
def test_a_text_longer_than_members_can_type_is_refused_unread(read: Callable[[str], object], piece: str):
    endless = piece * 1_000_000

    with pytest.raises(MemberError, match="too long"):
        read(endless)

    refusing = min(cost(_reader_of(read), endless) for _ in range(5))
    reading = min(cost(count_characters, piece * MAX_OPTION_CHARS) for _ in range(5))
    assert refusing < reading, "it was looked at"


@pytest.mark.parametrize(
    "show", [one_line, excerpt, file_stem, voice_names.name_key, lambda text: quote(text, Names())]
)
def test_of_an_endless_label_only_the_beginning_is_read(show: Callable[[str], object]):
    short = min(cost(show, "é" * MAX_OPTION_CHARS) for _ in range(5))
    endless = min(cost(show, "é" * 1_000_000) for _ in range(5))

    assert endless < 3 * max(short, 0.0001), "1,000,000 characters are 250 times as many"


@pytest.mark.slow
def test_patterns_are_compiled_once_and_under_a_name():
    """Else the test of all patterns would not know them."""
    complaints = [found for module in read_modules(ROOT).values() for found in _nameless_patterns(module)]

    assert complaints == []


def test_a_pattern_without_a_name_is_found():
    for source in (
        "import re\nre.sub('a+$', '', text)",
        "import regex\nregex.search('a', 'b')",
        "from re import sub",
        "import re\ndef f():\n    return re.compile('a')",
    ):
        assert len(list(_nameless_patterns(Module("bot.text.a", source)))) == 1, source
    assert list(_nameless_patterns(Module("bot.text.a", "import re\n_A = re.compile(re.escape('a'))"))) == []


_MADE_OF_A_SECRET: Final = (
    # Patterns that cannot be known before: made of the operator's own secrets, of routes or option names of
    # ours. The functions that use the first two are tried instead.
    *("bot.logs", "bot.tts.http", "rehearsal.rest.call", "rehearsal.prompt"),
)


def _nameless_patterns(module: Module) -> Iterator[str]:
    """Complain about patterns that are given as text where they are used, or compiled inside a function."""
    if module.name.partition(".")[0] not in _NAMES:
        return
    inside = {
        id(inner)
        for node in module.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and node.module in ("re", "regex"):
            yield f"{module.name}:{node.lineno} takes a function out of {node.module}"
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if ast.unparse(node.func.value) not in ("re", "regex") or node.func.attr == "escape":
            continue
        made_here = id(node) in inside and module.name not in (*_MADE_OF_A_SECRET, "bot.text.characters")
        if node.func.attr != "compile" or made_here:
            yield f"{module.name}:{node.lineno} {node.func.attr}"


def _sample(texts: list[Any]) -> list[Any]:
    """Return a few of ``texts``, others at every run; pytest-randomly's own seed would repeat them too."""
    seed = random.randrange(2**32)
    print(f"texts chosen with seed {seed}")
    return random.Random(seed).sample(texts, _SAMPLE)


def _excesses(work: Callable[[str], object], texts: list[Any], floor: Any) -> list[str]:
    """Return the first excess there is; the others would only take their time."""
    for name, text_of in texts:
        found = excess(work, text_of, floor)
        if found is not None:
            return [f"{name}: {found}"]
    return []
