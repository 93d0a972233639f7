"""The database: opened and brought up to date once, then one transaction at a time for whoever asks.

A database and its data directory carry the same id, so that neither is taken for another. A typo in a
setting, a volume that is not there, a second bot: each would start beside recordings that its database does
not know, or with a database whose recordings are elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Text,
    and_,
    bindparam,
    cast,
    event,
    func,
    insert,
    literal,
    select,
    text,
    true,
    union,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.sql.dml import ReturningInsert

from bot import metrics
from bot.errors import LibraryBusyError, LibraryError, LibraryUnreachableError, OtherDatabaseError
from bot.library.backups import back_up_daily, check_intact, forget_old_backups, newest_age
from bot.library.engine import (
    GroupedTransactions,
    ItemT,
    ResultT,
    Work,
    address,
    engine_for,
    file_of,
    kept_engine,
    library_error,
    outside_transactions,
    writing,
)
from bot.library.migrations import OURS, Migrations, bring_up_to_date
from bot.library.recording_folder import RECORDING_FOLDER, RecordingFolder, write_whole
from bot.library.tables import Base, ConsentRow, IdentityRow, VoiceRow
from bot.library.voice import new_id
from bot.limits import DATABASE_BUSY_SECONDS

ID_FILE: Final = "database.id"
"""A file under the data directory."""

_ID: Final = re.compile(r"[\w-]{22}")


def creation_error(data_dir: Path, where: str) -> str | None:
    """Return why no database may be made at ``where``: the directory belongs to another one; None: it may.

    Raises `LibraryError` where the directory cannot be read.
    """
    if _read(data_dir) is not None:
        found = f"{data_dir} belongs to another database"
    elif _recordings(data_dir):
        found = f"{data_dir / RECORDING_FOLDER} holds recordings of another database"
    else:
        return None
    return (
        f"The database {where} would be new and empty, but {found}. No recording was touched. "
        "Check DATABASE_URL and DATA_DIR, or restore a backup of the database. To start over, "
        "set DATA_DIR to an empty folder."
    )


def check_belongs(data_dir: Path, database_id: str | None) -> None:
    """Raise `OtherDatabaseError` when the directory belongs to another database than the one with this id.

    Raises `LibraryError` where it cannot be read.
    """
    if _read(data_dir) not in (None, database_id):
        raise OtherDatabaseError(
            f"The folder {data_dir} belongs to another database. No recording was touched. Check "
            "DATABASE_URL and DATA_DIR. If you're sure that they belong together, delete "
            f"{data_dir / ID_FILE}."
        )


async def known_id(session: AsyncSession) -> str | None:
    """Return the id of the database; None: it has none yet."""
    return await session.scalar(select(IdentityRow.id))


async def give_id(session: AsyncSession, data_dir: Path) -> str:
    """Return the id of the database, and write it into it if it has none yet.

    One that has none is new, or of the first edition. It takes the id of the directory if it knows any of the
    recordings there, or there are none; `OtherDatabaseError` if it does not.
    """
    known = await known_id(session)
    if known is not None:
        return known
    marked = _read(data_dir)
    if marked is not None:
        here = _recordings(data_dir)
        is_ours = _ID.fullmatch(marked) and (not here or here & await _named(session))
        check_belongs(data_dir, marked if is_ours else None)
    known = marked or new_id()
    await session.execute(insert(IdentityRow).values(id=known, key=secrets.token_hex(32)))
    return known


def mark(data_dir: Path, database_id: str) -> None:
    """Write into the directory which database it belongs to, if nothing is there yet. `LibraryError`."""
    if _read(data_dir) is not None:
        return
    try:
        write_whole(data_dir / ID_FILE, f"{database_id}\n".encode())
    except OSError as error:
        raise LibraryError(
            f"The folder {data_dir} cannot be written ({error.strerror}). Free some space, or set DATA_DIR "
            "to another folder."
        ) from error


def _read(data_dir: Path) -> str | None:
    path = data_dir / ID_FILE
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise LibraryError(f"{path} cannot be read ({error.strerror}).") from error


def _recordings(data_dir: Path) -> set[str]:
    return RecordingFolder(data_dir / RECORDING_FOLDER).hashes()


async def _named(session: AsyncSession) -> set[str]:
    """Return the recordings that the database names; for once, when it has no id."""
    found = await session.scalars(union(select(VoiceRow.recording), select(ConsentRow.recording)))
    return {sha256 for sha256 in found if sha256 is not None}


async def upsert(
    session: AsyncSession, table: type[Base], key: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Make or change the row of ``table`` with this primary ``key`` so that it has these ``values``."""
    statement = _insert(session, table).values(**key, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=list(key), set_=dict(values)))


async def upsert_all(session: AsyncSession, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Make or change these ``rows`` of ``table``, each with all of its columns; one statement."""
    if rows:
        connection = await session.connection()
        await connection.execute(_upsert_all(table, session.get_bind().dialect.name), list(rows))


@cache
def _upsert_all(table: type[Base], dialect: str) -> sqlite.Insert:
    """Return the statement of `upsert_all`, built once, which takes as long as running it."""
    columns = table.__table__.columns
    values = {column.name: bindparam(column.name, type_=column.type) for column in columns}
    statement = _insert_for(dialect, table).values(values)
    changed = {column.name: statement.excluded[column.name] for column in columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.__table__.primary_key), set_=changed)


async def insert_missing(session: AsyncSession, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Make those of these ``rows`` of ``table`` that are not there yet; one statement.

    All of them name the same columns.
    """
    if rows:
        connection = await session.connection()
        await connection.execute(_insert_missing(table, session.get_bind().dialect.name), list(rows))


@cache
def _insert_missing(table: type[Base], dialect: str) -> sqlite.Insert:
    """Return the statement of `insert_missing`; one for so many rows would be built anew for each number."""
    return _insert_for(dialect, table).on_conflict_do_nothing()


async def insert_if_missing(session: AsyncSession, table: type[Base], row: Mapping[str, Any]) -> bool:
    """Make this row of ``table`` unless it is there; return whether it was made."""
    key = next(iter(table.__table__.primary_key))
    made = _insert(session, table).values(**row).on_conflict_do_nothing().returning(key)
    return (await session.execute(made)).first() is not None


async def count_up(
    session: AsyncSession,
    table: type[Base],
    rows: Sequence[Mapping[str, Any]],
    within: Mapping[str, Mapping[str, int]],
) -> set[str]:
    """Add ``rows`` to those of the same key, or make them, in one statement; return the keys of those it did.

    The rows name every column, and each key once. What is added are the columns of ``within``, which says by
    key how far each may go. Those that would go further are left as they are: whoever wants all or none
    leaves the transaction with an error then. A row that is new is not looked at. Others who add to the same
    rows at once wait for each other, also on PostgreSQL, and see what has come of it.
    """
    dialect = session.get_bind().dialect
    columns = list(table.__table__.columns)
    prepare = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
    values = [
        [
            change(row[column.name]) if change else row[column.name]
            for column, change in zip(columns, prepare, strict=True)
        ]
        for row in rows
    ]
    parameters = {"rows": json.dumps(values, default=str)}
    parameters |= {f"most_{name}": json.dumps(most) for name, most in within.items()}
    counted = await session.execute(_count_up(table, tuple(within), dialect.name), parameters)
    return set(counted.scalars())


@cache
def _count_up(table: type[Base], added: tuple[str, ...], dialect: str) -> ReturningInsert[Any]:
    """Return the statement of `count_up`, the same for any number of rows: they come as one JSON array.

    A statement with so many parameters as there are rows is built anew each time, which takes the event loop
    longer than SQLite needs for all of it.
    """
    columns = table.__table__.columns
    given: ColumnElement[Any] = bindparam("rows", type_=Text)
    most: Mapping[str, ColumnElement[Any]] = {name: bindparam(f"most_{name}", type_=Text) for name in added}
    if dialect == "sqlite":
        items = func.json_each(given).table_valued("value")
        source = select(*(func.json_extract(items.c.value, f"$[{n}]") for n in range(len(columns))))
        source = source.where(true())  # SQLite would take ON CONFLICT for a condition of a join
        path = literal('$."') + columns.key + '"'
        most = {name: func.json_extract(limits, path) for name, limits in most.items()}
    else:
        elements = func.json_array_elements(cast(given, JSON))
        items = elements.table_valued("value", with_ordinality="place").render_derived()
        values = [cast(items.c.value.op("->>")(n), column.type) for n, column in enumerate(columns)]
        source = select(*values).order_by(items.c.place)
        most = {
            name: cast(cast(limits, JSON).op("->>")(columns.key), BigInteger) for name, limits in most.items()
        }
    statement = _insert_for(dialect, table).from_select(columns.keys(), source)
    sums = {name: columns[name] + statement.excluded[name] for name in added}
    # A key without a limit has none to compare with, which is neither true nor false.
    fits = [func.coalesce(sums[name] <= limit, true()) for name, limit in most.items()]
    statement = statement.on_conflict_do_update(index_elements=[columns.key], set_=sums, where=and_(*fits))
    return statement.returning(columns.key)


def _insert(session: AsyncSession, table: type[Base]) -> sqlite.Insert:
    return _insert_for(session.get_bind().dialect.name, table)


def _insert_for(dialect: str, table: type[Base]) -> sqlite.Insert:
    into: Any = table.__table__
    if dialect == "sqlite":
        return sqlite.insert(into)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(into)  # type: ignore[return-value]  # what is used of it is the same


log = logging.getLogger(__name__)

_PRIVATE: Final = 0o600
_IDENTITY_LOCK: Final = -2
"""For `Database.lock`: a database gets one id, also where two bots open it at once."""
_CLOSE_SECONDS: Final = 5.0

_SCRUB_SECONDS: Final = 0.1
"""So long emptying SQLite's log may keep others from writing; what our own readers take is a tenth of it."""


class Database:
    """SQLite under the data directory, or PostgreSQL. Entered it does nothing more, left it is closed.

    ``id`` tells it from every other one; its copies have the same. Every error of the driver comes out as a
    `LibraryError`, with nothing half-saved; only `IntegrityError` passes as it is, for those in this package
    who expect one.
    """

    id: str

    def __init__(self, engine: AsyncEngine, file: Path | None, *, busy_seconds: float) -> None:
        self._engine = engine
        self._file = file
        self._busy_seconds = busy_seconds
        self._came_back = asyncio.Event()
        self._under_way = 0
        self._is_closing = False
        event.listen(engine.sync_engine, "checkin", lambda *_: self._came_back.set())
        self._outside = outside_transactions(engine)
        self._writing = async_sessionmaker(writing(engine), expire_on_commit=False)
        self._reading = async_sessionmaker(engine, expire_on_commit=False)
        # SQLite has one writer at a time; waiting here is fair and wakes nobody in vain.
        self._one_writer = asyncio.Lock() if file else None
        self._reads_together = GroupedTransactions(self.reading, mixes=True)
        self._writes_together = GroupedTransactions(self.session, mixes=False)
        self.needs_scrubbing = file is not None  # an earlier run may have been killed before it did

    @classmethod
    async def open(
        cls,
        url: str | None,
        data_dir: Path,
        *,
        busy_seconds: float = DATABASE_BUSY_SECONDS,
        migrations: Migrations = OURS,
    ) -> Self:
        """Return the database at ``url``, or the one under ``data_dir``, with all its tables.

        A backup of the file is made before its tables change. Raises `LibraryError` with a sentence for the
        operator: it cannot be reached, is newer than this bot, or could not be brought up to date; then it
        is as it was. `OtherDatabaseError`: ``data_dir`` belongs to another database, or it has recordings and
        there is no database yet; then none is made. `DamagedDatabaseError`: the file is damaged.
        """
        where = address(url, data_dir)
        file = file_of(where)
        refusal = await asyncio.to_thread(creation_error, data_dir, str(file or "at DATABASE_URL"))
        if file is not None:
            if refusal is not None and not file.exists():
                raise OtherDatabaseError(refusal)
            await asyncio.to_thread(_make_private, file)
            await asyncio.to_thread(check_intact, file)
        await bring_up_to_date(where, migrations, busy_seconds=busy_seconds, refusal_of_new=refusal)
        database = cls(engine_for(where, busy_seconds=busy_seconds), file, busy_seconds=busy_seconds)
        try:
            await database._identify(data_dir)
        except BaseException:
            await database.aclose()
            raise
        return database

    async def _identify(self, data_dir: Path) -> None:
        """Find out which database this is, and whether the directory belongs to it."""
        async with self.reading() as session:
            known = await known_id(session)
        if known is None:
            async with self.session() as session:
                await self.lock(session, _IDENTITY_LOCK)
                known = await give_id(session, data_dir)
        await asyncio.to_thread(check_belongs, data_dir, known)
        self.id = known

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Wait for the transactions under way, also those of callers who were cancelled; close everything.

        Those that wait for their turn are among them: one that got it after the end would open the database
        anew, and nobody would close it. What comes later gets a `LibraryError`.
        """
        pool: Any = self._engine.pool
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._reads_together.aclose()
                await self._writes_together.aclose()
                self._is_closing = True
                while self._under_way or pool.checkedout():
                    self._came_back.clear()
                    await self._came_back.wait()
        self._is_closing = True
        await self._engine.dispose()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self._file is not None

    def session(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Enter one transaction that may change things: committed at the end, undone after an error."""
        return self._transaction(self._writing, self._one_writer)

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Enter one transaction that only reads: it waits for nobody."""
        return self._transaction(self._reading, None)

    async def read_together(self, work: Work[ItemT, ResultT], item: ItemT) -> ResultT:
        """Return what ``work`` reads for ``item``, in one transaction with what others read at this moment.

        The transaction begins after this call: it is never older.
        """
        return await self._reads_together.run(work, item)

    async def write_together(self, work: Work[ItemT, ResultT], item: ItemT) -> ResultT:
        """Return what ``work`` returns for ``item``, in one transaction with the same work of others.

        See `bot.library.engine.Work` for what it may do. It is written when this returns.
        """
        return await self._writes_together.run(work, item)

    @asynccontextmanager
    async def _transaction(
        self, sessions: async_sessionmaker[AsyncSession], lock: asyncio.Lock | None
    ) -> AsyncIterator[AsyncSession]:
        if self._is_closing:
            raise LibraryError("the database is closed")
        self._under_way += 1
        began = time.monotonic()
        try:
            async with lock or nullcontext(), sessions.begin() as session:
                await _begin(session)
                yield session
            metrics.database_answered(time.monotonic() - began)
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            failure = library_error(error)
            metrics.database_failed(failure)
            raise failure from error
        except LibraryUnreachableError as error:  # of the beginning
            metrics.database_failed(error)
            raise
        finally:
            self._under_way -= 1
            self._came_back.set()

    async def lock(self, session: AsyncSession, key: int) -> None:
        """Wait until no other transaction holds the lock named ``key``; it is held until this one ends.

        For what a constraint cannot say, such as how many rows there may be. SQLite has one writer anyway.
        """
        if not self.is_sqlite:
            await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Enter a connection to PostgreSQL that nobody else uses, outside of transactions.

        For locks that last, and to be told of what others do. Raises `LibraryError`.
        """
        engine = kept_engine(self._engine.url, busy_seconds=self._busy_seconds)
        try:
            connection = await engine.connect()
        except (SQLAlchemyError, OSError) as error:
            raise library_error(error) from error
        try:
            yield connection
        except SQLAlchemyError as error:
            raise library_error(error) from error
        finally:
            with suppress(SQLAlchemyError, OSError):  # it may be broken
                await connection.close()
            await engine.dispose()

    async def scrub(self) -> None:
        """Leave nothing of deleted rows in SQLite's log, and drop old backups; nobody waits long for it.

        Raises `LibraryBusyError` where somebody reads the file at this moment; until this has succeeded,
        ``needs_scrubbing`` is set. Nothing can take deleted rows out of PostgreSQL's files without keeping
        everybody out of them: there it does nothing, and `vacuum` frees their room.
        """
        self.needs_scrubbing = self._file is not None
        if self._file is None:
            return
        async with self._one_writer or nullcontext():
            try:
                async with self._outside.connect() as connection:
                    await self._empty_log(connection)
            except (SQLAlchemyError, OSError) as error:
                raise library_error(error) from error
        self.needs_scrubbing = False
        await self.forget_old_backups()

    async def _empty_log(self, connection: AsyncConnection) -> None:
        """Move SQLite's log into the file. While it waits for readers, nobody can write: so not for long."""
        seconds = min(self._busy_seconds, _SCRUB_SECONDS)
        await connection.execute(text(f"PRAGMA busy_timeout = {1000 * seconds:.0f}"))
        try:
            done = await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            if done.scalar():
                raise LibraryBusyError("somebody reads the database file")
        finally:
            await connection.execute(text(f"PRAGMA busy_timeout = {1000 * self._busy_seconds:.0f}"))

    async def vacuum(self) -> None:
        """Let PostgreSQL use the room of deleted rows for others; SQLite has overwritten them already.

        For now and then: no table is rewritten, and nobody who reads or writes waits. Without TRUNCATE,
        which would lock a table for a moment; one that somebody else works on is left for the next time.
        """
        if self._file is not None:
            return
        names = ", ".join(table.name for table in Base.metadata.sorted_tables)
        try:
            async with self._outside.connect() as connection:
                await connection.execute(text(f"VACUUM (SKIP_LOCKED, TRUNCATE FALSE) {names}"))
        except (SQLAlchemyError, OSError) as error:
            raise library_error(error) from error

    async def back_up(self) -> None:
        """Make the backup of the day if it is due; PostgreSQL has its own. Raises `LibraryError`."""
        if self._file is not None and await asyncio.to_thread(back_up_daily, self._file):
            log.info("the backup of the day was made")

    async def backup_age(self) -> float | None:
        """Return how many seconds old the newest backup is; None: there is none, or it is PostgreSQL."""
        if self._file is None:
            return None
        return await asyncio.to_thread(newest_age, self._file, time.time())

    async def forget_old_backups(self) -> None:
        """Delete the backups that are too old; they hold what has been deleted since."""
        if self._file is not None:
            await asyncio.to_thread(forget_old_backups, self._file)

    async def problem(self) -> str | None:
        """Return what is wrong with the stored data, as the database itself finds it; None: nothing."""
        async with self.reading() as session:
            if not self.is_sqlite:
                await session.execute(text("SELECT 1"))
                return None
            found = str(await session.scalar(text("PRAGMA quick_check(1)")))
            return None if found == "ok" else found


async def _begin(session: AsyncSession) -> None:
    """Connect and begin at once, so that a server that is not there is told from a fault of the caller."""
    try:
        await session.connection()
    except OSError as error:
        raise library_error(error) from error


def _make_private(file: Path) -> None:
    """Create the file so that only our own user can read it; SQLite's log takes the same mode."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=_PRIVATE)
    except OSError as error:
        raise LibraryError(
            f"The folder of the database, {file.parent}, cannot be written ({error.strerror}). "
            "Free some space, or set DATA_DIR to another folder."
        ) from error
