"""Discord texts in 27 languages, each with the readings that are accepted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bot.errors import MemberError
from bot.text.dialogue import check_lines, lines_of
from bot.text.discord_markup import Names
from bot.text.speakable import speakable

CASES: Final[list[dict[str, Any]]] = [
    json.loads(line) for line in Path(__file__).with_name("cases.jsonl").read_bytes().splitlines()
]
"""``expect``: one of these is said, but for case, quotes, brackets and the edges of lines. ``must`` and
``must_not``: what is in it and what is not. ``strict``: capitals count. ``why``: what is tried."""

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MEMBERS: Final = {1: "Bob", 2: "Ana"}
CHANNELS: Final = {10: "general"}
ROLES: Final = {20: "Mods"}

_QUOTES: Final = str.maketrans("", "", "\"'“”„‘’«»″′`()[]（）「」『』")
_EDGE: Final = " \t.,;:!?…。，、！？；：-–—"


def names_for(case: dict[str, Any]) -> Names:
    """Return what the ids in ``case`` are called."""
    more = {int(number): name for number, name in case.get("mentions", {}).get("members", {}).items()}
    return Names(members={**MEMBERS, **more}, channels=CHANNELS, roles=ROLES, now=NOON)


def said_for(case: dict[str, Any]) -> str:
    """Return what is said for ``case``, or the refusal of it."""
    names = names_for(case)
    if case.get("surface") != "dialogue":
        return speakable(case["content"], names)
    voices = {voice.casefold(): voice for voice in case["voices"]}
    lines = lines_of(case["content"], lambda label: voices.get(label.casefold()))
    if not lines:
        return speakable(case["content"], names)
    try:
        return "\n".join(line.text for line in check_lines(lines, names))
    except MemberError as refusal:
        return str(refusal)


def heard(text: str, *, strict: bool) -> str:
    """Return ``text`` without what is not compared; every line has edges of its own."""
    lines = [line.strip(_EDGE) for line in text.translate(_QUOTES).splitlines()]
    plain = " ".join(" ".join(lines).split())
    return plain if strict else plain.casefold()


def complaints(case: dict[str, Any], said: str) -> list[str]:
    """Return what is wrong with ``said``, a reading of ``case``."""
    strict = case.get("strict", False)
    found = []
    accepted = {heard(one, strict=strict) for one in case["expect"]}
    if accepted and heard(said, strict=strict) not in accepted:
        found.append("not one of the accepted readings")

    def has(word: str) -> bool:
        return word in said if strict else word.casefold() in said.casefold()

    found += [f"without {word!r}" for word in case["must"] if not has(word)]
    found += [f"with {word!r}" for word in case["must_not"] if has(word)]
    return found
