"""How answers with speech look in a server: whether the text is quoted, and which file comes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns; a server that has ruled nothing has what is usual."""
    op.add_column("guild_settings", sa.Column("quotes_text", sa.Boolean(), nullable=True))
    op.add_column("guild_settings", sa.Column("sends_ogg", sa.Boolean(), nullable=True))
