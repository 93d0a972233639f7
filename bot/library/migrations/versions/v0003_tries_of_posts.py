"""How often a message with a recording could not be deleted, and when that was last tried."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add both columns; nothing was counted before."""
    op.add_column("recording_posts", sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("recording_posts", sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True))
