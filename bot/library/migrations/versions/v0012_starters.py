"""Starter voices and their recordings; and how fast a member, or a kept take, is heard."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0015"


def _chosen_voices() -> sa.Table:
    """Return the table as it is by now; read from SQLite, an index of the voices would be complained of."""
    metadata = sa.MetaData()
    sa.Table("voices", metadata, sa.Column("id", sa.String(length=22), primary_key=True))
    return sa.Table(
        "chosen_voices",
        metadata,
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("voice_id", sa.String(length=22), nullable=False),
        sa.Column("tempo", sa.Double(), nullable=False, server_default="1"),
        sa.ForeignKeyConstraint(
            ["voice_id"], ["voices.id"], name="fk_chosen_voices_voice_id_voices", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("guild_id", "member_id", name="pk_chosen_voices"),
        sa.Index("ix_chosen_voices_member_id", "member_id"),
        sa.Index("ix_chosen_voices_voice_id", "voice_id"),
    )


def upgrade() -> None:
    """Create the table, and add the columns; everything so far was heard as it was made."""
    op.create_table(
        "starter_recordings",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("recording", sa.String(length=64), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", "recording", name="pk_starter_recordings"),
    )
    op.create_index("ix_starter_recordings_recording", "starter_recordings", ["recording"])
    for table in ("takes", "chosen_voices"):
        op.add_column(table, sa.Column("tempo", sa.Double(), nullable=False, server_default="1"))
    with op.batch_alter_table("chosen_voices", copy_from=_chosen_voices()) as chosen:
        chosen.alter_column("voice_id", existing_type=sa.String(length=22), nullable=True)
