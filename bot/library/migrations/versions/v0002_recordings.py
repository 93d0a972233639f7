"""Which database it is, and which recordings it has known: those that voices and consents name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables, and write down what is known."""
    op.create_table(
        "identity",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity"),
    )
    recordings = op.create_table(
        "recordings",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("was_named", sa.Boolean(), nullable=False),
        sa.Column("was_saved", sa.Boolean(), nullable=False),
        sa.Column("unused_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name="pk_recordings"),
    )
    _fill(recordings, "voices", "created_at", was_saved=True)
    _fill(recordings, "consents", "asked_at", was_saved=False)


def _fill(recordings: sa.Table, name: str, moment: str, *, was_saved: bool) -> None:
    rows = sa.table(name, sa.column("recording", sa.String), sa.column(moment, sa.DateTime(timezone=True)))
    known = sa.select(recordings.c.sha256)
    named = (
        sa.select(
            rows.c.recording,
            sa.func.min(rows.c[moment]),
            sa.literal(True, sa.Boolean),
            sa.literal(was_saved, sa.Boolean),
        )
        .where(rows.c.recording.is_not(None), rows.c.recording.not_in(known))
        .group_by(rows.c.recording)
    )
    columns = ["sha256", "kept_at", "was_named", "was_saved"]
    op.execute(sa.insert(recordings).from_select(columns, named))
