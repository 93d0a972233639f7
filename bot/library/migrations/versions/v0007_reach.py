"""What consent reaches: whose voice each use and report is about, voice messages, frozen likenesses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add them; of voices that are gone already nobody knows any more whose they were."""
    for name in ("uses", "reports"):
        op.add_column(name, sa.Column("speaker_id", sa.BigInteger(), nullable=True))
        op.create_index(f"ix_{name}_speaker_id", name, ["speaker_id"], unique=False)
        op.execute(
            f"UPDATE {name} SET speaker_id = "  # noqa: S608 - no word of it comes from outside
            f"(SELECT voices.speaker_id FROM voices WHERE voices.id = {name}.voice_id)"
        )
    op.add_column("consents", sa.Column("author_id", sa.BigInteger(), nullable=True))
    op.add_column("consents", sa.Column("agreed_id", sa.BigInteger(), nullable=True))
    op.create_index("ix_consents_author_id", "consents", ["author_id"], unique=False)
    op.create_table(
        "frozen_likenesses",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("guild_id", "member_id", name="pk_frozen_likenesses"),
    )
    op.create_table(
        "voice_messages",
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("voice_id", sa.String(length=22), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("take_id", sa.String(length=22), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "voice_id", name="pk_voice_messages"),
    )
    op.create_index("ix_voice_messages_voice_id", "voice_messages", ["voice_id"], unique=False)
    op.create_index("ix_voice_messages_take_id", "voice_messages", ["take_id"], unique=False)
