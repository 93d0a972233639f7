"""Reading aloud: a server's rules, the channels that are read, what members say of it, and a dictionary."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"


def upgrade() -> None:
    """Create the tables; nothing is read anywhere yet."""
    op.create_table(
        "reading_rules",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("longest_seconds", sa.Integer(), nullable=True),
        sa.Column("longest_wait", sa.Integer(), nullable=True),
        sa.Column("says_names", sa.Boolean(), nullable=True),
        sa.Column("name_pause", sa.Integer(), nullable=True),
        sa.Column("prefix", sa.Text(), nullable=True),
        sa.Column("reads_outsiders", sa.Boolean(), nullable=True),
        sa.Column("reads_bots", sa.Boolean(), nullable=True),
        sa.Column("names_emoji", sa.Boolean(), nullable=True),
        sa.Column("announces", sa.Boolean(), nullable=True),
        sa.Column("silenced_members", sa.JSON(), nullable=True),
        sa.Column("dictionary_roles", sa.JSON(), nullable=True),
        sa.Column("presets", sa.JSON(), nullable=True),
        sa.Column("words_changed", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("guild_id", name="pk_reading_rules"),
    )
    op.create_table(
        "read_channels",
        sa.Column("channel_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("voice_channel_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("channel_id", name="pk_read_channels"),
    )
    op.create_index("ix_read_channels_guild_id", "read_channels", ["guild_id"], unique=False)
    op.create_table(
        "read_members",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("is_muted", sa.Boolean(), nullable=False),
        sa.Column("spoken_name", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("guild_id", "member_id", name="pk_read_members"),
    )
    op.create_index("ix_read_members_member_id", "read_members", ["member_id"], unique=False)
    op.create_table(
        "dictionary_words",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("spoken", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("guild_id", "key", name="pk_dictionary_words"),
    )
