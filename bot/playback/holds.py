"""Why a player stands still although there is something to say."""

from __future__ import annotations

from enum import Enum


class Hold(Enum):
    """One reason; a player goes on when there is none left."""

    ASKED = "paused"  # somebody typed /pause
    ALONE = "nobody is listening"
    SILENCED = "I cannot be heard here"  # server mute, audience of a stage, permission taken away
