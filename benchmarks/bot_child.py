"""A bot in a process of its own, in a rehearsal that is in ours."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from benchmarks.child import END_SECONDS, Child, running
from rehearsal.server import Rehearsal


def bot_in(
    rehearsal: Rehearsal,
    data_dir: Path,
    tts_base_url: str | None,
    *,
    end_seconds: float = END_SECONDS,
    count_file: Path | None = None,
) -> AbstractAsyncContextManager[Child]:
    """Run a bot while the block runs; it is logged in when the block begins.

    With ``tts_base_url`` None it starts its own TTS gateway, as it does for who has set nothing. What it
    sends to its database is counted in ``count_file``, see `benchmarks.statement_count`; None: nowhere.
    """
    wishes = {
        "port": rehearsal.port,
        "ca_file": str(rehearsal.ca_file),
        "token": rehearsal.token,
        "data_dir": str(data_dir),
        "tts_base_url": tts_base_url,
        "count_file": str(count_file) if count_file else None,
    }
    return running("benchmarks.bot_process", [json.dumps(wishes)], end_seconds=end_seconds)
