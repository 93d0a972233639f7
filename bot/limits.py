"""Every number that a member or a stranger can push against, each with its reason."""

from __future__ import annotations

from typing import Final

MAX_TEXT_GRAPHEMES: Final = 1_000
"""Longest text of one utterance, in characters as people count them; it bounds cost and waiting."""

MAX_TEXT_BYTES: Final = 8_000
"""The same bound for texts whose characters are long in UTF-8, so that no text hides its weight."""

MAX_OPTION_CHARS: Final = 4_000
"""What Discord lets a member type into a text option; above the grapheme limit, so we can explain."""

MAX_STYLE_CHARS: Final = 120
"""A voice style is a short description; longer ones are read aloud by the model."""

MAX_TRANSCRIPT_CHARS: Final = 1_000
"""A minute of speech in any language."""

MIN_GUIDANCE: Final = 1.0
MAX_GUIDANCE: Final = 3.0
"""`cfg_value`: the range VoxCPM's documentation recommends; 3 already brings noise."""

MIN_STEPS: Final = 4
MAX_STEPS: Final = 30
"""`dit_steps`: the documented range; more only costs time and money."""

MAX_REFERENCE_BYTES: Final = 10 * 1024 * 1024
"""Discord's own upload limit for most people."""

REFERENCE_EXTENSIONS: Final = (
    ".wav",
    ".mp3",
    ".ogg",
    ".oga",
    ".opus",
    ".m4a",
    ".mp4",
    ".flac",
    ".webm",
    ".aac",
)
"""Names that may hold a recording. The bytes are judged by the TTS gateway, not by the name."""

MAX_URL_CHARS: Final = 2_048
"""The longest address we follow or pass on."""

MAX_ANSWER_BYTES: Final = 64 * 1024
"""A JSON answer of the TTS gateway; real ones are under 1 KiB."""

MAX_AUDIO_BYTES: Final = 32 * 1024 * 1024
"""A downloaded recording: 120 s of 48 kHz stereo 16-bit is 23 MB."""

MAX_AUDIO_SECONDS: Final = 120.0
"""The longest take we accept: the sound of one call."""

MAX_UTTERANCE_SECONDS: Final = 240.0
"""The longest speech that a text may become, all its takes together."""

PLAUSIBLE_SECONDS_BASE: Final = 5.0
PLAUSIBLE_SECONDS_PER_CHARACTER: Final = 0.5
"""Sound longer than base + this per character is a runaway of the model, not speech."""

MAX_CACHE_MEGABYTES: Final = 100_000
"""More than 200 hours of speech: whoever sets more has mistaken the unit."""

MAX_UTTERANCES_PER_MEMBER: Final = 3
MAX_UTTERANCES_PER_GUILD: Final = 20
"""Places in a guild's queue; one member cannot fill it."""

MAX_QUEUED_SECONDS: Final = 600.0
"""Sound waiting in one guild: ten minutes is already longer than anybody listens."""

MAX_SYNTHESES: Final = 4
MAX_SYNTHESES_PER_MEMBER: Final = 2
"""Calls under way at once, in the whole process and for one member."""

MAX_EXTRA_CALLS_PER_HOUR: Final = 10
"""Calls that one server may cost because a take was bad and is made again; for one utterance it is one."""

ALONE_SECONDS: Final = 60.0
"""The bot leaves a voice channel after this long without a human in it."""

ALONE_PAUSE_SECONDS: Final = 10.0
"""Nothing is said to an empty room for longer than somebody needs who fell out and comes back."""

SILENCED_SECONDS: Final = 60.0
"""So long the queue waits for a bot that is muted, or may not speak any more, before it is dropped."""

COOL_DOWN_SECONDS: Final = 60.0
"""After Discord has limited our voice connections in a guild, none is asked for there for this long."""

MAX_IDLE_MINUTES: Final = 10_080
"""A week; who wants longer sets 0, which is for ever."""

RETURN_SECONDS: Final = 900.0
"""After a loss or a restart of up to this long the bot comes back to its voice channel by itself."""

FULL_VOLUME: Final = 100
MIN_VOLUME: Final = 10
MAX_VOLUME: Final = 200
"""Percent of the loudness that all speech is brought to; the limiter holds the peaks at any of them."""

JOIN_SECONDS: Final = 20.0
"""How long joining a voice channel may take before the member hears about it."""

SHUTDOWN_SECONDS: Final = 8.0
"""What SIGTERM leaves for answers and farewells; container runtimes kill after 10 s."""
