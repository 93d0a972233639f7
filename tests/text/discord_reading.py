"""What Discord hides of a text, by its own rules one by one: slow, and written apart from the product's.

The rules are those of simple-markdown 0.7 with Discord's for spoilers, quotes, headings and addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_S: Final = re.DOTALL
_LINK = r"\[((?:\[[^\]]*\]|[^\[\]]|\](?=[^\[]*\]))*)\]\(\s*<?(https?://(?:\([^)]*\)|[^\s\\)])*?)>?\s*\)"
_BLOCK_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("heading", re.compile(r" *(#{1,3}|-#) +([^\n]+)(?:\n|$)")),
    ("quote", re.compile(r" *>>> (.*)", _S)),
    ("quote", re.compile(r"((?: *> [^\n]*(?:\n|$))+)")),
)
_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("block", re.compile(r"```(?:([\w+.#-]+?)\n)?\n*([^\n].*?)\n*```", _S)),
    ("escape", re.compile(r"\\([^0-9A-Za-z\s])")),
    ("address", re.compile(r"<https?://[^\s<>]+>|https?://[^\s<]+[^<.,:;\"'\]\s]")),
    ("link", re.compile(_LINK)),
    ("strong", re.compile(r"\*\*((?:\\.|[^\\])+?)\*\*(?!\*)", _S)),
    ("under", re.compile(r"__((?:\\.|[^\\])+?)__(?!_)", _S)),
    ("weak", re.compile(r"(?<!\w)_((?:__|\\.|[^\\_])+?)_(?!\w)", _S)),
    ("weak", re.compile(r"\*(?=\S)((?:\*\*|\\.|\s+(?:\\.|[^\s*\\]|\*\*)|[^\s*\\])+?)\*(?!\*)", _S)),
    ("struck", re.compile(r"~~(.+?)~~(?!_)", _S)),
    ("code", re.compile(r"(`+)(.*?[^`])\1(?!`)", _S)),
    ("spoiler", re.compile(r"\|\|(.+?)\|\|", _S)),
)


def shown_by_discord(text: str) -> str:
    """Return ``text`` as Discord shows it before anything is opened, without its code blocks."""
    return "".join(_shown(text, in_quote=False, inline=False))


def _shown(text: str, *, in_quote: bool, inline: bool) -> list[str]:
    found: list[str] = []
    index = 0
    while index < len(text):
        at_line = not inline and (index == 0 or text[index - 1] == "\n")
        match, name = _first(text, index, at_line=at_line, in_quote=in_quote)
        if match is None:
            found.append(text[index])
            index += 1
            continue
        found += _SHOW[name](match, in_quote)
        index = match.end()
    return found


def _first(text: str, index: int, *, at_line: bool, in_quote: bool) -> tuple[re.Match[str] | None, str]:
    rules = [rule for rule in _BLOCK_RULES if at_line and not (in_quote and rule[0] == "quote")]
    for name, expression in (*rules, *_RULES):
        if match := expression.match(text, index):
            return match, name
    return None, ""


_Show = Callable[["re.Match[str]", bool], list[str]]
_SHOW: Final[dict[str, _Show]] = {
    "heading": lambda match, in_quote: [*_shown(match[2], in_quote=in_quote, inline=True), "\n"],
    "quote": lambda match, _: _shown(re.sub(r"(?m)^ *> ", "", match[1]), in_quote=True, inline=False),
    "block": lambda match, _: ["\n"],
    "escape": lambda match, _: [match[1]],
    "address": lambda match, _: [match[0]],
    "link": lambda match, in_quote: _shown(match[1], in_quote=in_quote, inline=True),
    "code": lambda match, _: [match[2]],
    "spoiler": lambda match, _: ["\N{FULL BLOCK}"],
    **dict.fromkeys(
        ("strong", "under", "weak", "struck"),
        lambda match, in_quote: _shown(match[1], in_quote=in_quote, inline=True),
    ),
}
