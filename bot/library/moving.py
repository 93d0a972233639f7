"""Moving house: everything that survives a restart in one file, and back from it.

The file is a zip: what it is, a database of SQLite, and the recordings that this one knows. PostgreSQL's rows
are copied into such a database, and out of it, so that a file made beside one goes to the other as well.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

from sqlalchemy import JSON, URL, Connection, MetaData, Table, func, inspect, null, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot import __version__
from bot.errors import LibraryError, LibraryFullError
from bot.library.backups import copy_whole, damage_in
from bot.library.database import ID_FILE, Database, mark
from bot.library.engine import DATABASE_FILE, address, engine_for, file_of, library_error, writing
from bot.library.migrations import OURS, VERSIONS, bring_up_to_date, make_tables, revision_of
from bot.library.processes import Processes
from bot.library.recording_folder import RECORDING_FOLDER, RecordingFolder, is_sha256
from bot.library.recordings import Recordings
from bot.library.tables import Base, RecordingFileRow
from bot.library.voice import NO_GUILD
from bot.limits import DATABASE_BUSY_SECONDS, MAX_AUDIO_BYTES

_FORMAT: Final = 1
_ABOUT: Final = "about.json"
_MAX_ABOUT_BYTES: Final = 4_096
_RECORDING: Final = re.compile(rf"{RECORDING_FOLDER}/([0-9a-f]{{64}})\.wav")
STAGING: Final = "restoring"
"""A folder under the data directory; nothing that is in use lies in it."""

_NAMES_RECORDINGS: Final = (
    *(("voices", "recording"), ("consents", "recording"), ("starter_recordings", "recording")),
    ("recordings", "sha256"),
)
_OF_NO_MEMBER: Final = (
    *(VERSIONS, "identity", "starter_recordings", "recording_files"),
    *("application", "changes", "processes", "shards", "identify_buckets", "open_replies"),
)
SCRATCH: Final = "backup-"
"""How the name of a folder under the data directory begins in which a backup is being made."""

_OLD_SECONDS: Final = 86_400.0
_BINARY: Final = getattr(os, "O_BINARY", 0)
_ROWS_AT_ONCE: Final = 500
_RECORDINGS_AT_ONCE: Final = 10
_SPARE_BYTES: Final = 32 * 1024 * 1024
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True, slots=True)
class Moved:
    """What went into the file or came out of it. ``damaged`` recordings were left out."""

    voices: int
    servers: int
    recordings: int
    damaged: int = 0
    made_at: datetime | None = None

    def __str__(self) -> str:
        return ", ".join((
            f"{self.voices} voice{'' if self.voices == 1 else 's'}",
            f"the settings of {self.servers} server{'' if self.servers == 1 else 's'}",
            f"and {self.recordings} recording{'' if self.recordings == 1 else 's'}",
        ))  # fmt: skip


async def back_up_to(url: str | None, data_dir: Path, file: Path) -> Moved:
    """Write everything into a new ``file``, whole or not at all; "-" is the standard output.

    Raises `LibraryError` with a sentence for the operator; see `pack`.
    """
    if str(file) == "-":
        return await _packed(url, data_dir, sys.stdout.buffer)
    draft = file.with_name(f"{file.name}.new")
    try:
        with _new_file(file, draft) as to:
            moved = await _packed(url, data_dir, to)
            to.flush()
            os.fsync(to.fileno())
        draft.replace(file)
    except OSError as error:
        raise LibraryError(f"{file} could not be written ({error.strerror}).") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return moved


async def restore_from(url: str | None, data_dir: Path, file: Path) -> Moved:
    """Put everything from ``file``, or from the standard input for "-", in its place.

    Raises `LibraryError` with a sentence for the operator; see `unpack`.
    """
    try:
        if str(file) != "-":
            with file.open("rb") as source:
                return await unpack(url, data_dir, source, name=str(file))
        with tempfile.TemporaryFile(dir=data_dir) as source:  # a zip is read from its end
            shutil.copyfileobj(sys.stdin.buffer, source)
            return await unpack(url, data_dir, source, name="What came in")
    except OSError as error:
        raise LibraryError(f"{file} cannot be read ({error.strerror}).") from error


async def _packed(url: str | None, data_dir: Path, to: IO[bytes]) -> Moved:
    await asyncio.to_thread(_forget_scratch, data_dir)
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=SCRATCH) as scratch:
        return await pack(url, data_dir, to, scratch=Path(scratch))


def _forget_scratch(data_dir: Path) -> None:
    """Delete what a killed backup has left long ago; another one may be under way."""
    for left in data_dir.glob(f"{SCRATCH}*"):
        if time.time() - left.stat().st_mtime > _OLD_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _new_file(file: Path, draft: Path) -> IO[bytes]:
    """Open a draft that only our own user can read, for what is going to be ``file``."""
    if file.exists():
        raise LibraryError(f"{file} is already there. Choose another name, or delete it first.")
    return os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600), "wb")


async def pack(url: str | None, data_dir: Path, to: IO[bytes], *, scratch: Path) -> Moved:
    """Write everything of this database and directory into ``to``, also while a bot works with them.

    The database is as it was at one moment; a recording that was deleted since is not in the file.
    ``scratch`` is an empty folder. Raises `LibraryError` with a sentence for the operator.
    """
    where = address(url, data_dir)
    file, copy = file_of(where), scratch / DATABASE_FILE
    if file is None:
        await _copy_out(where, copy, scratch)
    elif not file.is_file():
        raise LibraryError(f"There is no database at {file} to back up. Check DATA_DIR and DATABASE_URL.")
    else:
        await asyncio.to_thread(_copy_file, file, copy)
    folders = [RecordingFolder(at / RECORDING_FOLDER) for at in (data_dir, scratch)]
    return await asyncio.to_thread(_write_zip, copy, folders, to)


async def unpack(url: str | None, data_dir: Path, source: IO[bytes], *, name: str) -> Moved:
    """Put everything that `pack` wrote into an empty database and directory, which no bot uses.

    A file of an older version is brought up to date. Raises `LibraryError` with a sentence for the operator:
    there is something already, or the file, called ``name``, is damaged, is none of ours, or newer than this
    bot. Then all is as it was.
    """
    where = address(url, data_dir)
    staging = data_dir / STAGING
    try:
        with _opened(source, name) as archive:
            about = _about(archive, name)
            hashes = _hashes(archive, name)
            await _check_empty(where, data_dir, hashes)
            await asyncio.to_thread(_extract, archive, staging, name)
        await _bring_up_to_date(staging, name)
        await _put_in_place(where, data_dir, staging, hashes)
    except OSError as error:
        raise LibraryError(
            f"{name} could not be restored ({error.strerror or type(error).__name__}). Nothing was changed."
        ) from error
    finally:
        await asyncio.to_thread(shutil.rmtree, staging, ignore_errors=True)
    async with await Database.open(url, data_dir) as database:
        await asyncio.to_thread(mark, data_dir, database.id)
        await Recordings(database, data_dir / RECORDING_FOLDER).files_into_rows()
        async with database.reading() as session:
            voices, servers = [await session.scalar(text(query)) for query in _COUNTS]
    return Moved(int(voices or 0), int(servers or 0), len(hashes), made_at=about)


async def holdings(database: Database, data_dir: Path) -> str:
    """Return in words what this database and directory hold of people."""
    async with database.reading() as session:
        voices, servers = [int(await session.scalar(text(query)) or 0) for query in _COUNTS]
        in_rows = set(await session.scalars(select(RecordingFileRow.sha256)))
    in_files = await asyncio.to_thread(RecordingFolder(data_dir / RECORDING_FOLDER).hashes)
    return str(Moved(voices, servers, len(in_rows | in_files)))


async def remove_tables(url: str | None, data_dir: Path) -> None:
    """Delete our tables, with all that is in them. Raises `LibraryError`; then all is as it was."""
    async with _engine(address(url, data_dir)) as engine, writing(engine).begin() as connection:
        await connection.run_sync(_drop)


_COUNTS: Final = (
    f"SELECT count(*) FROM voices WHERE guild_id <> {NO_GUILD}",  # noqa: S608
    "SELECT count(*) FROM guild_settings",
)


def _copy_file(file: Path, copy: Path) -> None:
    try:
        copy_whole(file, copy)
    except (OSError, sqlite3.Error) as error:
        raise LibraryError(f"The database {file} could not be copied: {error}.") from error


def _write_zip(database: Path, folders: Sequence[RecordingFolder], to: IO[bytes]) -> Moved:
    with closing(sqlite3.connect(database)) as opened:
        known = _known_recordings(opened)
        voices, servers = (int(opened.execute(query).fetchone()[0]) for query in _COUNTS)
        (revision,) = opened.execute(f"SELECT version_num FROM {VERSIONS}").fetchone()  # noqa: S608
    about = {
        "format": _FORMAT,
        "version": __version__,
        "tables": revision,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    here = sorted(known.intersection(chain.from_iterable(folder.hashes() for folder in folders)))
    kept = damaged = 0
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(_ABOUT, json.dumps(about, indent=2))
        archive.write(database, DATABASE_FILE)
        for sha256 in here:
            wav = _read_from_any(folders, sha256)
            if wav is None:  # deleted since, put aside, or damaged
                damaged += any(folder.has(sha256) for folder in folders)
                continue
            archive.writestr(f"{RECORDING_FOLDER}/{sha256}.wav", wav)
            kept += 1
    return Moved(voices, servers, kept, damaged)


def _read_from_any(folders: Sequence[RecordingFolder], sha256: str) -> bytes | None:
    for folder in folders:
        with suppress(LibraryError):
            return folder.read(sha256)
    return None


def _known_recordings(database: sqlite3.Connection) -> set[str]:
    known: set[str] = set()
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table, column in _NAMES_RECORDINGS:
        if table in tables:  # an older version may not have it
            known.update(sha256 for (sha256,) in database.execute(f"SELECT {column} FROM {table}"))  # noqa: S608
    return {sha256 for sha256 in known if sha256 and is_sha256(sha256)}


@contextmanager
def _opened(source: IO[bytes], name: str) -> Iterator[zipfile.ZipFile]:
    """Yield the archive. Whatever is wrong with the bytes in it comes out as a `LibraryError`."""
    try:
        with zipfile.ZipFile(source) as archive:
            yield archive
    except _BROKEN as error:
        raise LibraryError(f"{name} is damaged, or no backup of Myna. Nothing was changed.") from error


def _about(archive: zipfile.ZipFile, name: str) -> datetime:
    """Return when it was made, after a look at what it is."""
    if _ABOUT not in archive.namelist() or archive.getinfo(_ABOUT).file_size > _MAX_ABOUT_BYTES:
        raise ValueError("it does not say what it is")
    about = json.loads(archive.read(_ABOUT))
    if not isinstance(about, dict) or DATABASE_FILE not in archive.namelist():
        raise ValueError("it does not say what it is")
    revision, version = about.get("tables"), str(about.get("version"))[:20]
    if about.get("format") != _FORMAT or revision not in OURS.revisions:
        raise LibraryError(
            f"{name} was made by a newer Myna ({version!r}; this is {__version__!r}). Restore it with that "
            "version. Nothing was changed."
        )
    return datetime.fromisoformat(str(about.get("made_at")))


def _hashes(archive: zipfile.ZipFile, name: str) -> set[str]:
    """Return which recordings are in it. No file in it may have a name that `pack` does not give."""
    hashes = set()
    for entry in archive.infolist():
        if entry.filename in (_ABOUT, DATABASE_FILE):
            continue
        found = _RECORDING.fullmatch(entry.filename)
        if found is None or entry.file_size > MAX_AUDIO_BYTES:
            raise LibraryError(f"{name} holds files that are in no backup of Myna. Nothing was changed.")
        hashes.add(found[1])
    if len(archive.infolist()) != len(hashes) + 2:
        raise ValueError("a name occurs twice")
    return hashes


def _extract(archive: zipfile.ZipFile, staging: Path, name: str) -> None:
    """Unpack it into an empty folder, each recording held against its name."""
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    needed = sum(entry.file_size for entry in archive.infolist()) + _SPARE_BYTES
    if shutil.disk_usage(staging).free < needed:
        raise LibraryFullError(
            f"Restoring {name} takes {needed // 1024**2} MB, and {staging.parent} has less. Free some space."
        )
    database = staging / DATABASE_FILE
    database.touch(mode=0o600)
    with archive.open(DATABASE_FILE) as packed, database.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked)
    if damage_in(database) is not None:
        raise ValueError("the database in it is damaged")
    folder = RecordingFolder(staging / RECORDING_FOLDER)
    for entry in archive.infolist():
        found = _RECORDING.fullmatch(entry.filename)
        if found is not None:
            wav = archive.read(entry)
            if hashlib.sha256(wav).hexdigest() != found[1]:
                raise ValueError("a recording in it is damaged")
            folder.keep(wav, found[1])


async def _bring_up_to_date(staging: Path, name: str) -> None:
    try:
        await bring_up_to_date(address(None, staging), OURS, busy_seconds=DATABASE_BUSY_SECONDS)
    except LibraryError as error:
        raise LibraryError(f"{name} could not be restored. {error}") from error


async def check_unused(database: Database) -> None:
    """Raise `LibraryError` if a running bot has this database; that of a file is locked with its folder."""
    async with Processes(database) as processes:
        if not await processes.leads():  # then another one does
            raise LibraryError("Another bot is using the database at DATABASE_URL. Stop it first.")


async def _check_empty(where: URL, data_dir: Path, hashes: set[str]) -> None:
    """Raise `LibraryError` if anything of members is there already.

    Recordings of the same file are nothing else: a killed `unpack` has left them.
    """
    if await asyncio.to_thread(RecordingFolder(data_dir / RECORDING_FOLDER).hashes) - hashes:
        raise LibraryError(
            f"{data_dir / RECORDING_FOLDER} already holds recordings. Restore never overwrites: move "
            f"{data_dir} away, or set DATA_DIR to an empty folder."
        )
    file = file_of(where)
    if file is not None and not (file.is_file() and file.stat().st_size):
        return
    async with _engine(where) as engine:
        if await revision_of(engine) is None:
            return
        async with engine.connect() as connection:
            filled = await connection.run_sync(_filled)
    if file is None and not filled:
        url = where.render_as_string(hide_password=False)
        async with await Database.open(url, data_dir) as database:
            await check_unused(database)
    if filled:
        what = f"The database {file}" if file else "The database at DATABASE_URL"
        way = "move it away, or set DATA_DIR to an empty folder" if file else "make an empty one for this"
        in_it = ", ".join(filled[:3])
        raise LibraryError(f"{what} already holds {in_it}. Restore never overwrites: {way}.")


def _filled(connection: Connection) -> list[str]:
    """Return the names of the tables in which something of members or servers stands."""
    found = []
    for name in sorted(inspect(connection).get_table_names()):
        own = f" WHERE guild_id <> {NO_GUILD}" if name == "voices" else ""  # the starters are everybody's
        query = f"SELECT 1 FROM {name}{own} LIMIT 1"  # noqa: S608
        if name not in _OF_NO_MEMBER and connection.execute(text(query)).first() is not None:
            found.append(name)
    return found


async def _put_in_place(where: URL, data_dir: Path, staging: Path, hashes: set[str]) -> None:
    """Take over what lies in ``staging``: the recordings first, because a database without them is no use.

    A bot that finds recordings and no database does not start; `unpack` finds them and goes on.
    """
    target = RecordingFolder(data_dir / RECORDING_FOLDER)
    new = hashes - target.hashes()
    file = file_of(where)
    try:
        (data_dir / RECORDING_FOLDER).mkdir(mode=0o700, exist_ok=True)
        for sha256 in new:
            moved = f"{RECORDING_FOLDER}/{sha256}.wav"
            (staging / moved).replace(data_dir / moved)
        (data_dir / ID_FILE).unlink(missing_ok=True)
        if file is None:
            await _copy_in(staging / DATABASE_FILE, where)
        else:
            for side in ("-wal", "-shm"):
                file.with_name(file.name + side).unlink(missing_ok=True)
            await asyncio.to_thread(shutil.move, staging / DATABASE_FILE, file)
    except BaseException:
        for sha256 in new:
            with suppress(OSError):
                (data_dir / RECORDING_FOLDER / f"{sha256}.wav").unlink(missing_ok=True)
        raise


async def _copy_out(where: URL, copy: Path, scratch: Path) -> None:
    """Copy the rows of PostgreSQL, as they are at one moment, into a new file of SQLite.

    The recordings among them become files under ``scratch``.
    """
    async with _engine(where) as source, _engine(address(None, copy.parent)) as target:
        revision = await revision_of(source)
        if revision != OURS.newest:
            raise LibraryError(
                f"The database at DATABASE_URL has the tables {revision!r}, this version {OURS.newest!r}. "
                "Start this version of the bot once, then make the backup."
            )
        async with source.connect() as reading, writing(target).begin() as connection:
            await reading.execution_options(isolation_level="REPEATABLE READ")
            await connection.run_sync(make_tables)
            await _copy_rows(reading, connection)
            await _copy_recordings(reading, RecordingFolder(scratch / RECORDING_FOLDER))


async def _copy_recordings(source: AsyncConnection, folder: RecordingFolder) -> None:
    kept = select(RecordingFileRow.sha256, RecordingFileRow.wav)
    rows = await source.stream(kept, execution_options={"yield_per": _RECORDINGS_AT_ONCE})
    async for sha256, wav in rows:
        await asyncio.to_thread(folder.keep, wav, sha256)


async def _copy_in(copy: Path, where: URL) -> None:
    """Put the rows of a file of SQLite into PostgreSQL, in one transaction, tables included."""
    async with (
        _engine(address(None, copy.parent)) as source,
        _engine(where) as target,
        source.connect() as reading,
        writing(target).begin() as connection,
    ):
        await connection.run_sync(_make_anew)
        await _copy_rows(reading, connection)
        await connection.run_sync(_count_on)


def _make_anew(connection: Connection) -> None:
    """Make our tables; those that are there have nothing in them."""
    _drop(connection)
    make_tables(connection)


def _drop(connection: Connection) -> None:
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name == VERSIONS or name in Base.metadata.tables)
    found.drop_all(connection)


async def _copy_rows(source: AsyncConnection, target: AsyncConnection) -> None:
    for table in Base.metadata.sorted_tables:
        if table is RecordingFileRow.__table__:  # they are files on the way
            continue
        absent = [
            table.c[column.name].is_(null()).label(f"no {column.name}") for column in _json_columns(table)
        ]
        into = _as_it_stands(table)
        rows = await source.stream(select(table, *absent), execution_options={"yield_per": _ROWS_AT_ONCE})
        async for batch in rows.mappings().partitions():
            await target.execute(into.insert(), [_row(table, row) for row in batch])


def _json_columns(table: Table) -> list[Any]:
    return [column for column in table.columns if isinstance(column.type, JSON)]


def _as_it_stands(table: Table) -> Table:
    """Return the table so that a JSON column takes both: JSON's null, and no value at all."""
    copied = table.to_metadata(MetaData())
    for column in _json_columns(copied):
        column.type = JSON(none_as_null=True)
    return copied


def _row(table: Table, row: Mapping[Any, Any]) -> dict[str, Any]:
    values = {column.name: row[column.name] for column in table.columns}
    for column in _json_columns(table):
        if values[column.name] is None and not row[f"no {column.name}"]:
            values[column.name] = JSON.NULL
    return values


def _count_on(connection: Connection) -> None:
    """Let PostgreSQL's own numbers go on behind those that were copied."""
    for table in Base.metadata.sorted_tables:
        for column in table.primary_key:
            sequence = connection.execute(
                text("SELECT pg_get_serial_sequence(:name, :column)"),
                {"name": table.name, "column": column.name},
            ).scalar()
            if sequence is not None:
                highest = select(func.max(column)).scalar_subquery()
                connection.execute(select(func.setval(sequence, highest)))


@asynccontextmanager
async def _engine(where: URL) -> AsyncIterator[AsyncEngine]:
    """Yield an engine that is closed on leaving; errors of the driver come out as ours."""
    engine = engine_for(where, busy_seconds=DATABASE_BUSY_SECONDS, foreign_keys=False)
    try:
        yield engine
    except SQLAlchemyError as error:
        raise library_error(error) from error
    finally:
        await engine.dispose()
