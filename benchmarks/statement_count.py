"""Statements and transactions of a process on its databases, counted where another process can read them."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, event

_NUMBER_BYTES: Final = 8


class StatementCount(NamedTuple):
    """What was sent to databases so far."""

    statements: int = 0
    transactions: int = 0


def count_into(file: Path) -> None:
    """Count in ``file`` from now on what this process sends to every database.

    What begins and ends a transaction counts as no statement.
    """
    file.write_bytes(bytes(2 * _NUMBER_BYTES))
    with file.open("r+b") as opened:
        counted = memoryview(mmap.mmap(opened.fileno(), 0)).cast("Q")

    def execute(*arguments: Any) -> None:
        _connection, _cursor, statement, _parameters, _context, _many = arguments
        if not statement.startswith("BEGIN"):
            counted[0] += 1

    def begin(_connection: Connection) -> None:
        counted[1] += 1

    event.listen(Engine, "before_cursor_execute", execute)
    event.listen(Engine, "begin", begin)


def read_count(file: Path) -> StatementCount:
    """Return what was counted in ``file`` by now."""
    numbers = memoryview(file.read_bytes()).cast("Q")
    return StatementCount(*numbers)
