"""Database engines: how SQLite in a file and PostgreSQL at an address are spoken to, and how seldom.

Those who read or write at the same moment share a transaction (`GroupedTransactions`).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

import aiosqlite
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_connection
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionInTimeError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.util import EMPTY_DICT

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
        raise LibraryError("DATABASE_URL isn't the address of a database.") from None
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


def kept_engine(url: URL, *, busy_seconds: float) -> AsyncEngine:
    """Return an engine of PostgreSQL each of whose connections is somebody's own, for as long as they like.

    For locks that last, and to be told of what others do; nothing runs in a transaction.
    """
    options = _postgresql_options(busy_seconds)
    return create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", **options)


def _postgresql_options(busy_seconds: float) -> dict[str, Any]:
    return {
        "hide_parameters": True,
        "connect_args": {
            "timeout": busy_seconds,
            "server_settings": {"lock_timeout": f"{busy_seconds:.0f}s"},
        },
    }


def engine_for(url: URL, *, busy_seconds: float, foreign_keys: bool = True) -> AsyncEngine:
    """Return an engine. On SQLite it waits up to ``busy_seconds`` for whoever holds the file.

    ``foreign_keys`` are off only while tables are rebuilt. Errors never show what was being written.
    """
    if file_of(url) is None:
        return create_async_engine(
            url,
            pool_size=5,
            max_overflow=5,
            pool_pre_ping=True,  # a restart of the server must not fail the next command
            **_postgresql_options(busy_seconds),
        )
    engine = create_async_engine(
        url,
        module=_QuickSqlite(aiosqlite, sqlite3),
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
        statement = connection.get_execution_options().get(BEGINS)
        if statement is None:
            connection.connection.dbapi_connection.begin_with_next()  # type: ignore[union-attr]
        elif statement:
            connection.exec_driver_sql(statement)

    return engine


class _Result:
    """All that one statement has brought."""

    __slots__ = ("description", "lastrowid", "rowcount", "rows")

    def __init__(self, cursor: sqlite3.Cursor | None = None) -> None:
        self.description = cursor.description if cursor else None
        self.rows = cursor.fetchall() if cursor and cursor.description else []
        self.rowcount = cursor.rowcount if cursor else -1
        self.lastrowid = cursor.lastrowid if cursor else None

    def close(self) -> None:
        """There is nothing left to close."""


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """Cursor of SQLAlchemy's that visits the connection's thread once for a statement, not four times.

    Each visit costs a hand-over between threads, which waits for the GIL; a read had nine of them.
    """

    __slots__ = ()
    _awaitable_cursor_close = False

    _adapt_connection: _Connection

    def __init__(self, adapt_connection: AsyncAdapt_dbapi_connection) -> None:
        assert isinstance(adapt_connection, _Connection), "they are made for each other"  # noqa: S101
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection
        self._cursor: Any = _Result()
        self._rows = deque()
        self._soft_closed_memoized = EMPTY_DICT

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:
        await self._visit(_executed, operation, parameters or ())

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        await self._visit(_executed_many, operation, seq_of_parameters)

    async def _visit(self, work: Callable[..., _Result], *arguments: Any) -> None:
        async with self._adapt_connection._execute_mutex:
            connection: Any = self._connection
            begin = self._adapt_connection.take_begin()
            self._cursor = await connection._execute(work, connection._conn, begin, *arguments)
            self._rows = deque(self._cursor.rows)


def _executed(connection: sqlite3.Connection, begin: str, statement: str, parameters: Any) -> _Result:
    if begin:
        connection.execute(begin)
    return _Result(connection.execute(statement, parameters))


def _executed_many(connection: sqlite3.Connection, begin: str, statement: str, parameters: Any) -> _Result:
    if begin:
        connection.execute(begin)
    return _Result(connection.executemany(statement, parameters))


class _Connection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ("first",)
    _cursor_cls = _Cursor

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.first = ""
        """What begins a transaction, and goes with its first statement."""

    def take_begin(self) -> str:
        """Return what has to go before the next statement; it goes once."""
        begin, self.first = self.first, ""
        return begin

    def begin_with_next(self) -> None:
        """Begin a transaction together with its first statement: nothing is locked before that anyway."""
        self.first = "BEGIN"

    def commit(self) -> None:
        """Commit, unless nothing has begun."""
        if self._has_begun():
            super().commit()

    def rollback(self) -> None:
        """Undo, unless nothing has begun."""
        if self._has_begun():
            super().rollback()

    def _has_begun(self) -> bool:
        self.first = ""
        connection: Any = self._connection
        return connection._connection is not None and connection._connection.in_transaction


class _QuickSqlite(AsyncAdapt_aiosqlite_dbapi):
    """SQLAlchemy's way to aiosqlite with connections of ours."""

    def connect(self, *arguments: Any, **options: Any) -> _Connection:
        """Return a connection, as the original does."""
        made = super().connect(*arguments, **options)
        return _Connection(self, made._connection)


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


_MOST_AT_ONCE: Final = 8
"""At most so many callers share a transaction: with more, the first would wait for all behind it."""

_FAULTS_OF_ALL: Final = (LibraryBusyError, LibraryFullError, LibraryUnreachableError)
"""What the next transaction would meet as well."""

ItemT = TypeVar("ItemT", contravariant=True)
ResultT = TypeVar("ResultT", covariant=True)


class Work(Protocol[ItemT, ResultT]):
    """Work of several callers in the transaction of ``session``, with as few statements as one caller's.

    It returns what each of the ``items`` gets, in their order; an exception is what that caller alone gets.
    Where it raises one, the transaction is undone, and each item is tried in a transaction of its own.
    """

    def __call__(
        self, session: AsyncSession, items: Sequence[ItemT], /
    ) -> Awaitable[Sequence[ResultT | Exception]]:
        """Do it."""


@dataclass(slots=True, eq=False)
class _Caller:
    work: Work[Any, Any]
    item: object
    result: asyncio.Future[Any]


class GroupedTransactions:
    """Transactions that callers share, each entered with ``enter``.

    Who comes while one is under way is in the next one, in the order of coming; who comes alone waits for
    nobody. So a hundred at once cost few transactions and few statements. Unless it ``mixes`` them, one
    transaction has one kind of work: those that lock rows in different orders would wait in a circle.
    """

    def __init__(
        self, enter: Callable[[], AbstractAsyncContextManager[AsyncSession]], *, mixes: bool
    ) -> None:
        self._enter = enter
        self._mixes = mixes
        self._waiting: deque[_Caller] = deque()
        self._running: asyncio.Task[None] | None = None
        self._is_closed = False

    async def run(self, work: Work[ItemT, ResultT], item: ItemT) -> ResultT:
        """Return what ``work`` returns for ``item``, after the transaction. Raises what it has for it.

        Who is cancelled gets nothing, and what is under way for them is carried out all the same. Raises
        `LibraryError` after the end.
        """
        if self._is_closed:
            raise LibraryError("the database is closed")
        caller = _Caller(work, item, asyncio.get_running_loop().create_future())
        self._waiting.append(caller)
        if self._running is None:
            self._running = asyncio.create_task(self._run_all(), name="grouped-transactions")
        result: ResultT = await caller.result
        return result

    async def aclose(self) -> None:
        """Take nothing more, and wait until nothing is under way, and nobody waits."""
        self._is_closed = True
        while self._running is not None:
            await asyncio.wait([self._running])

    async def _run_all(self) -> None:
        callers: list[_Caller] = []
        try:
            while self._waiting:
                callers = self._next_group()
                await self._run_group([one for one in callers if not one.result.done()])
        finally:
            self._running = None
            for one in (*callers, *self._waiting):  # there are any only if this task was cancelled
                one.result.cancel()

    def _next_group(self) -> list[_Caller]:
        """Take out whose turn it is: of each kind of work those who came first.

        So who is ahead with one kind does not wait for all who came meanwhile, who are still at another.
        """
        first, group, left = self._waiting[0].work, Counter[Work[Any, Any]](), deque[_Caller]()
        taken: list[_Caller] = []
        for one in self._waiting:
            if group[one.work] < _MOST_AT_ONCE and (self._mixes or one.work == first):
                group[one.work] += 1
                taken.append(one)
            else:
                left.append(one)
        self._waiting = left
        return taken

    async def _run_group(self, callers: Sequence[_Caller]) -> None:
        try:
            found = await self._results(callers) if callers else []
        except Exception as error:
            if len(callers) > 1 and not isinstance(error, _FAULTS_OF_ALL):
                for one in callers:
                    await self._run_group([one])
                return
            found = [(one, error) for one in callers]
        for one, result in found:
            if one.result.done():
                continue
            if isinstance(result, Exception):
                one.result.set_exception(result)
            else:
                one.result.set_result(result)

    async def _results(self, callers: Sequence[_Caller]) -> list[tuple[_Caller, Any]]:
        by_work: dict[Work[Any, Any], list[_Caller]] = {}
        for one in callers:
            by_work.setdefault(one.work, []).append(one)
        found: list[tuple[_Caller, Any]] = []
        async with self._enter() as session:
            for work, ones in by_work.items():
                results = await work(session, [one.item for one in ones])
                found += zip(ones, results, strict=True)
        return found
