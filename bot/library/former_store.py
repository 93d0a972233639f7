"""`guilds.json`, in which earlier versions kept volume and channel of each server: read once, moved in."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from bot.library.database import Database
from bot.library.tables import GuildSettingsRow
from bot.limits import FULL_VOLUME, MAX_VOLUME, MIN_VOLUME

log = logging.getLogger(__name__)

FORMER_FILE: Final = "guilds.json"


async def move_in(database: Database, path: Path) -> None:
    """Move what the file at ``path`` holds into the database, and delete it; most times there is none.

    What is in the database already wins. A file that makes no sense is moved aside.
    """
    found = await asyncio.to_thread(_read, path)
    if found is None:
        return
    async with database.session() as session:
        known = set(await session.scalars(select(GuildSettingsRow.guild_id)))
        for guild_id, values in found.items():
            if guild_id not in known:
                session.add(GuildSettingsRow(guild_id=guild_id, cloning_on=False, **values))
    await asyncio.to_thread(path.unlink, missing_ok=True)
    log.info("%s moved into the database: %d servers", path.name, len(found))


def _read(path: Path) -> dict[int, dict[str, Any]] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {int(guild): _values(**fields) for guild, fields in found.items()}
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError, RecursionError):
        aside = path.with_suffix(".broken")
        log.warning("%s makes no sense; moved to %s", path.name, aside.name)
        path.replace(aside)
        return None


def _values(volume: int = FULL_VOLUME, channel_id: int | None = None) -> dict[str, Any]:
    return {
        "volume": min(max(int(volume), MIN_VOLUME), MAX_VOLUME),
        "channel_id": None if channel_id is None else int(channel_id),
    }
