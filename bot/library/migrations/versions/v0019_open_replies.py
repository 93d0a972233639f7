"""Replies that a process has begun, so that another one finishes them if it dies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Create the table; what is open now is not known."""
    op.create_table(
        "open_replies",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("process_id", sa.String(length=22), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_open_replies"),
    )
