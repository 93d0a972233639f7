"""The first tables as the migration that made them did: voices, consents, takes, settings of servers.

No database is made so any more, so only tests that begin where people began need it. It never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts up only what it calls INTEGER


def upgrade() -> None:
    """Create every table."""
    _consents()
    _never_clone()
    _recording_posts()
    _reports()
    _takes()
    _uses()
    _voices()
    _chosen_voices()
    _guild_settings()
    _voice_members()


def _consents() -> None:
    op.create_table(
        "consents",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("asker_id", sa.BigInteger(), nullable=False),
        sa.Column("speaker_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("recording", sa.String(length=64), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("sharing", sa.String(length=16), nullable=True),
        sa.Column("role_id", sa.BigInteger(), nullable=True),
        sa.Column("member_ids", sa.JSON(), nullable=True),
        sa.Column("channel_id", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_consents"),
    )
    op.create_index("ix_consents_asker_id", "consents", ["asker_id"], unique=False)
    op.create_index("ix_consents_guild_id_speaker_id", "consents", ["guild_id", "speaker_id"], unique=False)
    op.create_index("ix_consents_recording", "consents", ["recording"], unique=False)
    op.create_index("ix_consents_speaker_id", "consents", ["speaker_id"], unique=False)


def _never_clone() -> None:
    op.create_table(
        "never_clone",
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member_id", name="pk_never_clone"),
    )


def _recording_posts() -> None:
    op.create_table(
        "recording_posts",
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("voice_id", sa.String(length=22), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("attachment_id", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="pk_recording_posts"),
    )
    op.create_index("ix_recording_posts_voice_id", "recording_posts", ["voice_id"], unique=False)


def _reports() -> None:
    op.create_table(
        "reports",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("voice_id", sa.String(length=22), nullable=True),
        sa.Column("take_id", sa.String(length=22), nullable=True),
        sa.Column("reporter_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=True),
        sa.Column("channel_id", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
    )
    op.create_index("ix_reports_guild_id_reported_at", "reports", ["guild_id", "reported_at"], unique=False)
    op.create_index("ix_reports_member_id", "reports", ["member_id"], unique=False)
    op.create_index("ix_reports_reporter_id", "reports", ["reporter_id"], unique=False)
    op.create_index("ix_reports_voice_id", "reports", ["voice_id"], unique=False)


def _takes() -> None:
    op.create_table(
        "takes",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=True),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("style", sa.Text(), nullable=True),
        sa.Column("guidance", sa.Double(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=True),
        sa.Column("voice_ids", sa.JSON(), nullable=False),
        sa.Column("likeness", sa.Text(), nullable=True),
        sa.Column("cache_key", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_takes"),
    )
    op.create_index("ix_takes_created_at", "takes", ["created_at"], unique=False)
    op.create_index("ix_takes_guild_id", "takes", ["guild_id"], unique=False)
    op.create_index("ix_takes_member_id", "takes", ["member_id"], unique=False)


def _uses() -> None:
    op.create_table(
        "uses",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("voice_id", sa.String(length=22), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_uses"),
    )
    op.create_index("ix_uses_guild_id_used_at", "uses", ["guild_id", "used_at"], unique=False)
    op.create_index("ix_uses_member_id", "uses", ["member_id"], unique=False)
    op.create_index("ix_uses_voice_id", "uses", ["voice_id"], unique=False)


def _voices() -> None:
    op.create_table(
        "voices",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("speaker_id", sa.BigInteger(), nullable=True),
        sa.Column("consent_id", sa.String(length=22), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("recording", sa.String(length=64), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("transcript", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("sharing", sa.String(length=16), nullable=False),
        sa.Column("role_id", sa.BigInteger(), nullable=True),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_frozen", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["consents.id"], name="fk_voices_consent_id_consents", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_voices"),
        sa.UniqueConstraint("guild_id", "name_key", name="uq_voices_guild_id_name_key"),
    )
    op.create_index("ix_voices_consent_id", "voices", ["consent_id"], unique=False)
    op.create_index("ix_voices_owner_id", "voices", ["owner_id"], unique=False)
    op.create_index("ix_voices_recording", "voices", ["recording"], unique=False)
    op.create_index("ix_voices_speaker_id", "voices", ["speaker_id"], unique=False)


def _chosen_voices() -> None:
    op.create_table(
        "chosen_voices",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("voice_id", sa.String(length=22), nullable=False),
        sa.ForeignKeyConstraint(
            ["voice_id"], ["voices.id"], name="fk_chosen_voices_voice_id_voices", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("guild_id", "member_id", name="pk_chosen_voices"),
    )
    op.create_index("ix_chosen_voices_member_id", "chosen_voices", ["member_id"], unique=False)
    op.create_index("ix_chosen_voices_voice_id", "chosen_voices", ["voice_id"], unique=False)


def _guild_settings() -> None:
    op.create_table(
        "guild_settings",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("volume", sa.Integer(), nullable=True),
        sa.Column("channel_id", sa.BigInteger(), nullable=True),
        sa.Column("cloning_on", sa.Boolean(), nullable=False),
        sa.Column("cloning_policy", sa.Integer(), nullable=True),
        sa.Column("cloning_by", sa.BigInteger(), nullable=True),
        sa.Column("cloning_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("default_voice_id", sa.String(length=22), nullable=True),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["default_voice_id"],
            ["voices.id"],
            name="fk_guild_settings_default_voice_id_voices",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("guild_id", name="pk_guild_settings"),
    )


def _voice_members() -> None:
    op.create_table(
        "voice_members",
        sa.Column("voice_id", sa.String(length=22), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["voice_id"], ["voices.id"], name="fk_voice_members_voice_id_voices", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("voice_id", "member_id", name="pk_voice_members"),
    )
    op.create_index("ix_voice_members_member_id", "voice_members", ["member_id"], unique=False)
