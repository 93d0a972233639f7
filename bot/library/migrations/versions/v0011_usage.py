"""How much speech was made for whom, and what moderators allow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"


def upgrade() -> None:
    """Create the table of counters, and the columns of a server's rules; nothing is counted yet."""
    op.create_table(
        "usage",
        sa.Column("key", sa.String(length=96), nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("voice_id", sa.String(length=22), nullable=False),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("counters", sa.JSON(), nullable=False),
        sa.Column("is_forgotten", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_usage"),
    )
    op.create_index("ix_usage_guild_id_began_at", "usage", ["guild_id", "began_at"], unique=False)
    op.create_index("ix_usage_member_id", "usage", ["member_id"], unique=False)
    op.create_index("ix_usage_period_began_at", "usage", ["period", "began_at"], unique=False)
    op.create_table(
        "outages",
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("what", name="pk_outages"),
    )
    for column in (
        sa.Column("seconds_a_day", sa.Integer(), nullable=True),
        sa.Column("exempt_roles", sa.JSON(), nullable=True),
        sa.Column("excluded_roles", sa.JSON(), nullable=True),
        sa.Column("excluded_members", sa.JSON(), nullable=True),
        sa.Column("allowed_channels", sa.JSON(), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.Column("day_began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("zone_from", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("guild_settings", column)
