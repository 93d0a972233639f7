"""How the two databases are spoken to: SQLite in a file, PostgreSQL at an address."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bot.errors import LibraryError

DATABASE_FILE: Final = "myna.db"
"""The file under the data directory, where no other database is named."""

BEGINS: Final = "begins"
"""An execution option of ours: the statement that begins a transaction on SQLite; empty for none."""

_POSTGRESQL: Final = ("postgres", "postgresql", "postgresql+asyncpg")
_SQLITE: Final = ("sqlite", "sqlite+aiosqlite")
_NOT_ASYNCPGS: Final = ("channel_binding", "gssencmode")  # libpq's; asyncpg would send them to the server


def address(url: str | None, data_dir: Path) -> URL:
    """Return where the database is; without a ``url`` it is a file under ``data_dir``.

    Raises `LibraryError` for what is neither PostgreSQL nor a file of SQLite.
    """
    if url is None:
        return URL.create("sqlite+aiosqlite", database=str(data_dir / DATABASE_FILE))
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        raise LibraryError("DATABASE_URL is no address of a database.") from None
    if found.drivername in _SQLITE and found.database:
        return found.set(drivername="sqlite+aiosqlite")
    if found.drivername not in _POSTGRESQL:
        raise LibraryError("DATABASE_URL must begin with postgresql:// or sqlite:///.")
    query = {name: value for name, value in found.query.items() if name not in _NOT_ASYNCPGS}
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")  # asyncpg's name for it
    return found.set(drivername="postgresql+asyncpg", query=query)


def file_of(url: URL) -> Path | None:
    """Return the file that the database is; None for PostgreSQL."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def engine_for(url: URL, *, busy_seconds: float, foreign_keys: bool = True) -> AsyncEngine:
    """Return an engine. On SQLite it waits up to ``busy_seconds`` for whoever holds the file.

    ``foreign_keys`` are off only while tables are rebuilt. Errors never show what was being written.
    """
    if file_of(url) is None:
        return create_async_engine(
            url,
            hide_parameters=True,
            pool_size=5,
            max_overflow=5,
            pool_pre_ping=True,  # a restart of the server must not fail the next command
            connect_args={
                "timeout": busy_seconds,
                "server_settings": {"lock_timeout": f"{busy_seconds:.0f}s"},
            },
        )
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_size=4,  # a thread each; one of them writes
        max_overflow=0,
        connect_args={"timeout": busy_seconds},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver begins no transaction by itself; see below
        cursor = connection.cursor()
        for pragma in _pragmas(foreign_keys=foreign_keys):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get(BEGINS, "BEGIN")
        if statement:
            connection.exec_driver_sql(statement)

    return engine


def _pragmas(*, foreign_keys: bool) -> tuple[str, ...]:
    return (
        "journal_mode = WAL",
        "synchronous = FULL",  # what was acknowledged survives a power cut
        "secure_delete = ON",  # what is deleted is overwritten
        f"foreign_keys = {'ON' if foreign_keys else 'OFF'}",
    )


def writing(engine: AsyncEngine) -> AsyncEngine:
    """Return ``engine`` for changes: on SQLite they take the file at once, so that none has to give way."""
    options: dict[str, Any] = {BEGINS: "BEGIN IMMEDIATE"}
    return engine.execution_options(**options)


def outside_transactions(engine: AsyncEngine) -> AsyncEngine:
    """Return ``engine`` for what runs in no transaction."""
    if engine.dialect.name == "sqlite":
        options: dict[str, Any] = {BEGINS: ""}
        return engine.execution_options(**options)
    return engine.execution_options(isolation_level="AUTOCOMMIT")
