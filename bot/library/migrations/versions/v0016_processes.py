"""What several processes of one bot tell each other: whose database it is, and what has changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"

_COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables. The application that starts next is the one the database belongs to."""
    op.create_table(
        "application",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("commands", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_application"),
    )
    op.create_table(
        "changes",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("process_id", sa.String(length=22), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
    )
