"""`python -m tests.sentences`: write all that members and operators can read into `docs/sentences.txt`.

The sentences stand in the order of the files they are in, so that they can be read in one go; what stands in
braces is filled in when they are said. What only a log or a programmer sees is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
WRITTEN: Final = ROOT / "docs" / "sentences.txt"
HOW: Final = ".venv/bin/python -m tests.sentences"

_FOLDERS: Final = ("cogs", "bot")
_OTHER_LANGUAGES: Final = {"languages.py", "words.py", "notation.py", "pictures.py"}
"""In `bot/text`: words that are spoken, in all languages, not read."""

_SHOWN: Final = {"description", "label", "placeholder", "title", "help"}
"""Arguments that people see whatever is in them, so that one word counts."""

_SHOWING: Final = {"describe", "Finding"}
"""Calls whose arguments people see, as above."""

_UNSEEN: Final = {
    *("debug", "info", "warning", "error", "exception", "critical", "log", "getLogger"),
    *("compile", "text", "execute", "TypeVar", "setattr", "getattr", "joinpath", "Revision"),
    *("AssertionError", "AttributeError", "KeyError", "OSError", "RuntimeError", "TypeError", "ValueError"),
    *("AudioError", "TTSPayloadError", "TTSFetchError", "TTSUnreachableError", "TTSNoAnswerError"),
    *("TTSUnusableAudioError", "MalformedWavError", "ClientException", "DecodeError"),
}
"""Calls whose words go into a log, to a database, or to a programmer."""

_COMMANDS: Final = {"command", "context_menu", "Group"}
_READABLE: Final = re.compile(r"^[\W\d_]*(?:\{[^}]*\}[\W\d_]*)*[A-Z][^\n]* |[a-z}*)] ?[.!?:\u2026](?:\s|$)")
"""A beginning with a capital and a second word, or the end of a sentence."""
_CODE: Final = re.compile(
    r"\(\?|%\(|\\S|^(?:SELECT|PRAGMA|INSERT|BEGIN|SET|DEBUG|INFO)\b|^\{[^}]*\}[:.]?$|^\w+\("
)
"""Patterns, formats, statements and names."""


@cache
def sentences() -> str:
    """Return all of them as one text: a heading for each file, a line for each sentence."""
    parts = []
    for path in sorted(path for folder in _FOLDERS for path in (ROOT / folder).rglob("*.py")):
        if "migrations" in path.parts or path.name in _OTHER_LANGUAGES:
            continue
        found = dict.fromkeys(_said_in(ast.parse(path.read_text(encoding="utf-8"))))
        if found:
            parts.append("\n".join([f"## {path.relative_to(ROOT).as_posix()}", *found]))
    return "\n\n".join(parts) + "\n"


def _said_in(node: ast.AST, *, is_shown: bool = False) -> Iterator[str]:
    if isinstance(node, ast.Constant | ast.JoinedStr):
        yield from _said(node, is_shown=is_shown)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    elif isinstance(node, ast.Call) and _name(node.func) in _UNSEEN:
        return
    else:
        if isinstance(node, ast.AsyncFunctionDef) and _is_command(node):
            yield (ast.get_docstring(node) or "").partition("\n")[0]
        shows = isinstance(node, ast.Call) and _name(node.func) in _SHOWING
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.keyword):
                yield from _said_in(child.value, is_shown=shows or child.arg in _SHOWN)
            else:
                yield from _said_in(child, is_shown=shows and isinstance(child, ast.Constant | ast.JoinedStr))


def _said(node: ast.Constant | ast.JoinedStr, *, is_shown: bool) -> Iterator[str]:
    words = _words(node)
    if words.strip() and (is_shown or _READABLE.search(words)) and not _CODE.search(words):
        yield words.strip().replace("\n", "\n    ")
    if isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _said_in(part.value)


def _words(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(
        f"{{{ast.unparse(part.value)}}}" if isinstance(part, ast.FormattedValue) else _words(part)
        for part in node.values
        if isinstance(part, ast.FormattedValue | ast.Constant)
    )


def _is_command(function: ast.AsyncFunctionDef) -> bool:
    """Discord shows the first line of a command's docstring."""
    return any(
        isinstance(decorator, ast.Call) and _name(decorator.func) in _COMMANDS
        for decorator in function.decorator_list
    )


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


if __name__ == "__main__":
    WRITTEN.write_text(sentences(), encoding="utf-8")
