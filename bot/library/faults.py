"""What goes wrong with a database, as errors of ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionInTimeError

from bot.errors import LibraryBusyError, LibraryError, LibraryFullError, LibraryUnreachableError

_BUSY_STATES: Final = ("55P03", "40001", "40P01", "57014", "53300")
"""PostgreSQL: lock not available, could not serialise, deadlock, cancelled, too many connections."""

_NOT_THERE_STATES: Final = ("57P01", "57P02", "57P03", "08001", "08006")
"""PostgreSQL: shut down, crashed, not up yet, connection not made, connection lost."""

_SETTING_STATES: Final[Mapping[str, str]] = MappingProxyType({
    "28000": "PostgreSQL does not let this user in",
    "28P01": "PostgreSQL refuses the user or the password",
    "3D000": "PostgreSQL has no database of this name",
    "42501": "this user may not make tables there",
})  # fmt: skip

_FULL_STATE: Final = "53100"


def library_error(error: SQLAlchemyError | OSError) -> LibraryError:
    """Return the error of ours for one of the driver's. Its text holds no address and nothing of members."""
    if isinstance(error, NoConnectionInTimeError | TimeoutError):
        return LibraryBusyError("the database has not answered in time")
    if isinstance(error, OSError):
        return LibraryUnreachableError(
            f"the database cannot be reached: {error.strerror or type(error).__name__}"
        )
    fault = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(fault, sqlite3.Error):
        return _of_sqlite(fault)
    state = getattr(fault, "sqlstate", None)
    if state in _BUSY_STATES:
        return LibraryBusyError(f"the database is busy (SQLSTATE {state})")
    if state is not None and state in _SETTING_STATES:
        return LibraryError(f"{_SETTING_STATES[state]} (SQLSTATE {state})")
    if state in _NOT_THERE_STATES:
        return LibraryUnreachableError(f"the database is not up (SQLSTATE {state})")
    if state == _FULL_STATE:
        return LibraryFullError("the disk of the database is full")
    return LibraryError(f"the database failed: {type(fault or error).__name__}, SQLSTATE {state}")


def _of_sqlite(fault: sqlite3.Error) -> LibraryError:
    code = getattr(fault, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LibraryBusyError("another program holds the database file")
    if code == sqlite3.SQLITE_FULL:
        return LibraryFullError("the disk is full")
    return LibraryError(f"the database file failed: {fault}")
