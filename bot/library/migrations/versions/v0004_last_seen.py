"""An index of each server's voices in the order of their last use, in which they are proposed and listed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the index; a voice that was never used stands where it was saved."""
    last_seen = sa.text("coalesce(last_used_at, created_at)")
    op.create_index(
        "ix_voices_guild_id_last_seen", "voices", ["guild_id", last_seen, "name_key"], unique=False
    )
