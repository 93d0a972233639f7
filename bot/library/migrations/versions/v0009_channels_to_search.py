"""Channels in which an earlier edition may have left recordings that are in no row any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the table, with every channel in which a cloned voice was spoken with, or asked for."""
    op.create_table(
        "channels_to_search",
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("channel_id", name="pk_channels_to_search"),
    )
    op.execute(
        "INSERT INTO channels_to_search (channel_id, tries) SELECT channel_id, 0 FROM "
        "(SELECT channel_id FROM uses UNION SELECT channel_id FROM consents "
        "UNION SELECT channel_id FROM recording_posts) AS found WHERE channel_id IS NOT NULL"
    )
