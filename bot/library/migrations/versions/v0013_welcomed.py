"""When the bot introduced itself in a server, so that it does so once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"


def upgrade() -> None:
    """Add the column. Servers the bot knows already need no introduction any more."""
    op.add_column("guild_settings", sa.Column("welcomed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE guild_settings SET welcomed_at = CURRENT_TIMESTAMP")
