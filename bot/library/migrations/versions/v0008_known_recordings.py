"""Recordings that stay known when their voices are gone; and names of which others do not learn."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table and the key, and let owners have the same names.

    Of uploads that were mended before this, no hash was kept.
    """
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
    _let_owners_have_the_same_names()


def _let_owners_have_the_same_names() -> None:
    last_seen = sa.text("coalesce(last_used_at, created_at)")
    # SQLite copies the table, and Alembic would lose an index of an expression on the way.
    op.drop_index("ix_voices_guild_id_last_seen", "voices")
    with op.batch_alter_table("voices") as table:
        table.drop_constraint("uq_voices_guild_id_name_key", type_="unique")
        table.create_unique_constraint(
            "uq_voices_guild_id_owner_id_name_key", ["guild_id", "owner_id", "name_key"]
        )
    op.create_index("ix_voices_guild_id_name_key", "voices", ["guild_id", "name_key"], unique=False)
    op.create_index(
        "ix_voices_guild_id_last_seen", "voices", ["guild_id", last_seen, "name_key"], unique=False
    )
