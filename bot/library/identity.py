"""Which database a data directory belongs to: both carry the same id, so that neither is taken for another.

A typo in a setting, a volume that is not there, a second bot: each would start beside recordings that its
database does not know, or with a database whose recordings are elsewhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from sqlalchemy import insert, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import LibraryError, OtherDatabaseError
from bot.library.recording_folder import RECORDING_FOLDER, RecordingFolder, write_whole
from bot.library.tables import ConsentRow, IdentityRow, VoiceRow
from bot.library.voice import new_id

ID_FILE: Final = "database.id"
"""A file under the data directory."""

_ID: Final = re.compile(r"[\w-]{22}")


def creation_error(data_dir: Path, where: str) -> str | None:
    """Return why no database may be made at ``where``: the directory belongs to another one; None: it may.

    Raises `LibraryError` where the directory cannot be read.
    """
    if _read(data_dir) is not None:
        found = f"{data_dir} belongs to another one"
    elif _recordings(data_dir):
        found = f"{data_dir / RECORDING_FOLDER} holds recordings of another one"
    else:
        return None
    return (
        f"The database {where} would be new and empty, and {found}. No recording was touched. "
        "Look at DATABASE_URL and DATA_DIR, or put a copy of the database back. To begin anew, set DATA_DIR "
        "to an empty folder."
    )


def check_belongs(data_dir: Path, database_id: str | None) -> None:
    """Raise `OtherDatabaseError` when the directory belongs to another database than the one with this id.

    Raises `LibraryError` where it cannot be read.
    """
    if _read(data_dir) not in (None, database_id):
        raise OtherDatabaseError(
            f"The database and {data_dir} do not belong together: the folder belongs to another database. "
            "No recording was touched. Look at DATABASE_URL and DATA_DIR. If you are sure that they belong "
            f"together, delete {data_dir / ID_FILE}."
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
    await session.execute(insert(IdentityRow).values(id=known))
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
