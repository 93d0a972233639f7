"""The first tables: where the migrations begin. A new database gets its tables whole, not from here."""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Do nothing: whoever is migrated has these tables already."""
