"""Regular expressions with Unicode properties: the `regex` package behind the types of `re`."""

from __future__ import annotations

import re

import regex

IGNORE_CASE = int(regex.IGNORECASE)
LINES = int(regex.MULTILINE)
"""``^`` and ``$`` stand at every line."""
ANY_CHARACTER = int(regex.DOTALL)
"""``.`` is a line feed, too."""


def pattern(expression: str, flags: int = 0) -> re.Pattern[str]:
    """Return ``expression`` compiled, with ``[a--b]`` as the set a without b.

    Every expression here must take time in proportion to the text, whatever the text: where two
    repetitions could share the same characters, they are possessive (``++``) or bounded. A letter is
    compared with one letter: ``ß`` is not ``ss``.
    """
    # By default this version lets ``ß`` match ``ss`` and the other way round, and every such letter in front
    # of a mismatch doubles the time (regex 2024 to 2026, README: "full case-folding is used by default").
    compiled: re.Pattern[str] = regex.compile(f"(?-f){expression}", flags | regex.V1)
    return compiled
