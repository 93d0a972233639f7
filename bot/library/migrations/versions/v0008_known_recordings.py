"""Recordings that stay known when their voices are gone, and the key they are hashed with."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0009"


def upgrade() -> None:
    """Make the table and the key. Of uploads that were mended before this, no hash was kept."""
    op.create_table(
        "known_recordings",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("speaker", sa.String(length=64), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", "speaker", "guild_id", name="pk_known_recordings"),
    )
    op.create_index("ix_known_recordings_speaker", "known_recordings", ["speaker"], unique=False)
    op.add_column("recordings", sa.Column("upload_hash", sa.String(length=64), nullable=True))
    op.create_index("ix_recordings_upload_hash", "recordings", ["upload_hash"], unique=False)
    op.add_column("identity", sa.Column("key", sa.String(length=64), nullable=True))
    identity = sa.table("identity", sa.column("key", sa.String))
    op.get_bind().execute(sa.update(identity).values(key=secrets.token_hex(32)))
    with op.batch_alter_table("identity") as table:
        table.alter_column("key", existing_type=sa.String(length=64), nullable=False)
