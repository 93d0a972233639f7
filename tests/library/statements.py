"""Statements and transactions of a piece of work, as the driver sees them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, event


@dataclass
class Statements:
    """What was sent to databases: statements with their parameters, and how many transactions."""

    sent: list[tuple[str, Any]] = field(default_factory=list)
    transactions: int = 0


@contextmanager
def statements() -> Iterator[Statements]:
    """Count what is sent to every database inside."""
    found = Statements()

    def execute(*arguments: Any) -> None:
        _connection, _cursor, statement, parameters, _context, _many = arguments
        if not statement.startswith("BEGIN"):
            found.sent.append((statement, parameters))

    def begin(_connection: Connection) -> None:
        found.transactions += 1

    event.listen(Engine, "before_cursor_execute", execute)
    event.listen(Engine, "begin", begin)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", execute)
        event.remove(Engine, "begin", begin)
