"""The lines of a dialogue as a list; before, they were one text with a character between them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_LINE_END = "\x1e"
_AT_ONCE = 500


def upgrade() -> None:
    """Split the texts, and leave only the lines."""
    op.add_column("takes", sa.Column("lines", sa.JSON(), nullable=True))
    columns = (sa.column("id", sa.String), sa.column("text", sa.Text), sa.column("lines", sa.JSON))
    takes = sa.table("takes", *columns)
    some = sa.select(takes.c.id, takes.c.text).order_by(takes.c.id).limit(_AT_ONCE)
    split = sa.update(takes).where(takes.c.id == sa.bindparam("take_id"))
    split = split.values(lines=sa.bindparam("said", type_=sa.JSON))
    connection, last = op.get_bind(), ""
    while rows := connection.execute(some.where(takes.c.id > last)).all():
        connection.execute(split, [{"take_id": row.id, "said": row.text.split(_LINE_END)} for row in rows])
        last = rows[-1].id
    with op.batch_alter_table("takes") as table:
        table.alter_column("lines", existing_type=sa.JSON(), nullable=False)
        table.drop_column("text")
