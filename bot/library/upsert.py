"""One row by its key: made where it is missing, changed where it is there, in one statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bot.library.tables import Base


async def upsert(
    session: AsyncSession, table: type[Base], key: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Make or change the row of ``table`` with this primary ``key`` so that it has these ``values``."""
    if session.get_bind().dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]
    statement = insert(table).values(**key, **values)
    if values:
        changed = statement.on_conflict_do_update(index_elements=list(key), set_=dict(values))
    else:
        changed = statement.on_conflict_do_nothing(index_elements=list(key))
    await session.execute(changed)
