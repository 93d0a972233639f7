"""Migrations: backup, every step from an older shape of the tables in one transaction, or all as it was."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Column, Connection, MetaData, String, Table, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import LibraryError, OtherDatabaseError
from bot.library.backups import back_up
from bot.library.engine import engine_for, file_of, library_error, writing
from bot.library.tables import Base


@dataclass(frozen=True, slots=True)
class Migrations:
    """A folder of Alembic's, and its revisions, oldest first: known without loading Alembic."""

    folder: Path
    revisions: tuple[str, ...]

    @property
    def newest(self) -> str:
        """Return the revision that this program needs."""
        return self.revisions[-1]


OURS: Final = Migrations(
    Path(__file__).parent,
    (
        "0001",
        "0002",
        "0003",
        "0004",
        "0005",
        "0006",
        "0007",
        "0008",
        "0009",
        "0011",
        "0013",
        "0015",
        "0012",
        "0014",
        "0016",
        "0017",
        "0018",
        "0019",
    ),
)


log = logging.getLogger(__name__)

_LOCK: Final = -8
"""For PostgreSQL, beside those of `bot.library.database`; no server has it as its id."""

VERSIONS: Final = "alembic_version"
"""The table in which Alembic keeps the revision."""


async def bring_up_to_date(
    url: URL, migrations: Migrations, *, busy_seconds: float, refusal_of_new: str | None = None
) -> None:
    """Run the migrations that the database at ``url`` has not seen; most times there are none.

    ``refusal_of_new`` says why no new database may be made there: then `OtherDatabaseError` with it, and none
    is made. Raises `LibraryError` with a sentence for the operator; then the database is as it was.
    """
    engine = engine_for(url, busy_seconds=busy_seconds, foreign_keys=False)
    try:
        revision = await revision_of(engine)
        if revision == migrations.newest:
            return
        if revision is None and refusal_of_new is not None:
            raise OtherDatabaseError(refusal_of_new)
        if revision is not None and revision not in migrations.revisions:
            raise LibraryError(
                f"The database was made by a newer version of this bot (its tables are {revision!r}, this "
                f"version knows {migrations.newest!r}). Start that version, or go back to a backup."
            )
        file = file_of(url)
        if file is not None and revision is not None:
            await asyncio.to_thread(back_up, file, revision)
        await _upgrade(engine, revision, migrations)
        log.info("database brought from %s to %s", revision or "nothing", migrations.newest)
    finally:
        await engine.dispose()


async def revision_of(engine: AsyncEngine) -> str | None:
    """Return which revision the tables have; None: there are none. Raises `LibraryError`."""
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_revision_in)
    except TypeError as error:  # the driver's, for a word behind the ? that it does not know
        reason = str(error).removeprefix("connect() got an ")
        raise LibraryError(f"DATABASE_URL has an option that cannot be used: {reason}.") from error
    except (SQLAlchemyError, OSError) as error:
        fault = library_error(error)
        raise type(fault)(
            f"The database cannot be opened: {fault}. Look at DATABASE_URL and at DATA_DIR, "
            "and whether another bot uses it."
        ) from error


def _revision_in(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSIONS):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSIONS}"))  # noqa: S608
    return found.scalar()


async def _upgrade(engine: AsyncEngine, revision: str | None, migrations: Migrations) -> None:
    try:
        async with writing(engine).begin() as connection:
            if engine.dialect.name == "postgresql":  # of several processes that start at once, one does it
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
                revision = await connection.run_sync(_revision_in)
                if revision == migrations.newest:
                    return
            if revision is None and migrations == OURS:
                await connection.run_sync(make_tables)
            else:
                await connection.run_sync(_run_alembic, migrations.folder)
            if engine.dialect.name == "sqlite":
                broken = (await connection.execute(text("PRAGMA foreign_key_check"))).first()
                if broken is not None:
                    raise LibraryError(f"rows of {broken[0]} point at nothing")
    except Exception as error:  # a migration may fail with anything; whichever way, it is undone
        found = library_error(error) if isinstance(error, SQLAlchemyError | OSError) else error
        reason = (str(found).splitlines() or [type(error).__name__])[0]
        raise LibraryError(
            f"The database could not be brought up to date ({reason}). It is as it was before; start the "
            "version of this bot that ran before, and report this."
        ) from error


def make_tables(connection: Connection) -> None:
    """Make the tables of a new database, as all migrations together would, without loading Alembic for it."""
    Base.metadata.create_all(connection, checkfirst=False)
    version = Table(VERSIONS, MetaData(), Column("version_num", String(32), primary_key=True))
    version.create(connection)
    connection.execute(version.insert().values(version_num=OURS.newest))


def _run_alembic(connection: Connection, folder: Path) -> None:
    from alembic import command  # 0.4 s and 16 MB that most starts do not need
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
