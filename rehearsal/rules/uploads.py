"""How large an upload may be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rehearsal.errors import DiscordAPIError
from rehearsal.wire import MEBIBYTE

MAX_REQUEST: Final = 25 * MEBIBYTE
MAX_FILES: Final = 10


def check_sizes(sizes: Iterable[int], *, limit: int) -> None:
    """Raise 413 / 40005 when one file is over ``limit`` bytes, or all together over the request's limit."""
    sizes = list(sizes)
    if any(size > limit for size in sizes) or sum(sizes) > max(MAX_REQUEST, limit):
        raise DiscordAPIError(413, 40005, "Request entity too large")
    if len(sizes) > MAX_FILES:
        raise DiscordAPIError(400, 30015, "Maximum number of attachments in a message reached (10)")
