"""How long, how much and how often: the bounds of every exchange with the outside, as values."""

from __future__ import annotations

from dataclasses import dataclass

from bot.limits import MAX_AUDIO_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds that one call to the TTS gateway may take.

    The hosted one documents no times. An API management in front of a model cuts after 300 s at the
    latest; members do not wait that long, and speech of 500 characters is made within a minute.
    """

    connect: float = 5.0
    """Name, connection and TLS together."""

    first_byte: float = 90.0
    """Silence after the request was sent, and any silence within the answer."""

    total: float = 120.0
    """One request and its whole answer."""

    polling: float = 120.0
    """From an answer of 202 to the finished speech."""

    poll_first: float = 0.5
    poll_longest: float = 5.0
    """The wait before the first look at a 202's progress; it grows by half up to the longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadLimits:
    """What the download of one recording may cost. Seconds and bytes count for each try."""

    connect: float = 5.0
    gap: float = 10.0
    """Silence within the answer."""

    total: float = 30.0
    max_bytes: int = MAX_AUDIO_BYTES
    min_rate: int = 32 * 1024
    """Bytes per second on average, judged once ``rate_grace`` seconds are over."""

    rate_grace: float = 5.0
    redirects: int = 2
    tries: int = 4
    """A new object may not be visible everywhere yet, and public buckets answer 429 under load."""

    base_delay: float = 0.5
    """The wait before the second try; it doubles."""
