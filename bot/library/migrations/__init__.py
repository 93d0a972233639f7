"""The migrations: each step from an older shape of the tables to the next, oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Migrations:
    """A folder of Alembic's, and its revisions, oldest first: known without loading Alembic."""

    folder: Path
    revisions: tuple[str, ...]

    @property
    def newest(self) -> str:
        """Return the revision that this program needs."""
        return self.revisions[-1]


OURS: Final = Migrations(Path(__file__).parent, ("0001", "0002", "0003", "0004", "0005", "0006"))
