"""The index of kept speech: its files, and whom they concern."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create both tables; files from before are in neither, and deleted at the start."""
    op.create_table(
        "cached_speeches",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_cached_speeches"),
    )
    op.create_table(
        "cached_speech_labels",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["key"],
            ["cached_speeches.key"],
            name="fk_cached_speech_labels_key_cached_speeches",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key", "label", name="pk_cached_speech_labels"),
    )
    op.create_index("ix_cached_speech_labels_label", "cached_speech_labels", ["label"], unique=False)
