"""Every number that a member or a stranger can push against, each with its reason."""

from __future__ import annotations

from typing import Final

MAX_TEXT_GRAPHEMES: Final = 1_000
"""Longest text of one utterance, in characters as people count them; it bounds cost and waiting."""

MAX_TEXT_BYTES: Final = 8_000
"""The same bound for texts whose characters are long in UTF-8, so that no text hides its weight."""

MAX_OPTION_CHARS: Final = 4_000
"""What Discord lets a member type into a text option; above the grapheme limit, so we can explain. In code
points; of what is longer nothing is read at all."""

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

MIN_SPEED: Final = 0.5
MAX_SPEED: Final = 2.0
"""How much faster speech may be heard than it is made: beyond these words are lost."""

MAX_REFERENCE_BYTES: Final = 10 * 1024 * 1024
"""Discord's own upload limit for most people."""

MAX_EXAMINATIONS: Final = 2
MAX_EXAMINATIONS_WAITING: Final = 4
"""Recordings looked at at once in the whole process, one of a member; and those that wait, fetched later."""

MAX_GENERATIONS_IN_HAND: Final = 2
"""Generations that buttons work on at once in the whole process: one of `MAX_AUDIO_BYTES` each at most."""

MAX_VOICE_MESSAGES_BYTES: Final = 8 * 1024 * 1024
"""Of voice messages that are remembered for the next press: ten of two minutes, or hundreds of a sentence."""

MAX_REFERENCE_SECONDS: Final = 300
"""A recording this long is looked through for its best part; it bounds the work and 60 MB of samples."""

MIN_REFERENCE_SECONDS: Final = 1.0
"""Of speech: with less no engine finds a voice, and vLLM-Omni refuses it."""

MAX_VOICE_TAKE_SECONDS: Final = 15.0
"""A take of ours becomes a voice as it is; longer references only leave less room for what is said."""

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
"""How recordings are usually called; what a file is, its bytes say."""

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

MAX_FILES_AT_ONCE: Final = 8
FILE_WAIT_SECONDS: Final = 5.0
"""Files that are made and sent at once, 3 MB each for half a minute of speech, and how long one waits for its
place before it goes without: slow lines of some must not hold up the rest."""

MAX_CACHE_MEGABYTES: Final = 100_000
"""More than 200 hours of speech: whoever sets more has mistaken the unit."""

MAX_DATA_MEGABYTES: Final = 999_999
"""A terabyte: whoever sets more has mistaken the unit."""

MAX_UTTERANCES_PER_MEMBER: Final = 3
MAX_UTTERANCES_PER_GUILD: Final = 20
"""Places in a guild's queue; one member cannot fill it."""

MAX_QUEUED_SECONDS: Final = 600.0
"""Sound waiting in one guild: ten minutes is already longer than anybody listens."""

CALLS_AT_ONCE_AT_FIRST: Final = 16
MAX_CALLS_AT_ONCE: Final = 200
"""Calls of the TTS gateway under way at once: learnt from the first of these on, and never more than the

second, which is more than one process can make audible at once.
"""

MAX_CALLS_PER_UTTERANCE: Final = 75
"""Calls for one text or dialogue: 40 lines are 40, and a few minutes of speech in parts as many again."""

MAX_EXTRA_CALLS_PER_HOUR: Final = 10
"""Calls that one server may cost because a take was bad and is made again; for one utterance it is one."""

MAX_DAILY_SECONDS: Final = 10_000_000
"""More than a hundred days of speech a day: whoever sets more has mistaken the unit."""

MAX_HOURLY_CALLS: Final = 1_000_000
"""More than the calls that could be under way at once make in an hour."""

RESERVATION_SECONDS: Final = 900.0
"""So long a reservation holds whose bot was killed; no call takes so long, with its download."""

RESERVED_TIMES: Final = 1.25
"""More than we believe that speech will last is reserved for it: voices differ by about a quarter."""

USAGE_DAYS: Final = 35
USAGE_SHOWN_DAYS: Final = 14
"""How long it is kept how much was made for whom, and how much of that moderators see."""

MAX_RULED: Final = 25
"""Roles, channels and members in one rule of a server, the most that Discord's menu lets one pick."""

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

MAX_VOICE_NAME_GRAPHEMES: Final = 32
"""As long as a nickname at Discord; more does not fit into a list or in front of a line of dialogue."""

MAX_VOICES_PER_MEMBER: Final = 25
"""What one menu of Discord's shows at once, and one member cannot fill a server's shelf."""

MAX_VOICES_PER_GUILD: Final = 500
"""With recordings of 15 s each this is 700 MB of disk at the very most."""

MAX_VOICE_MEMBERS: Final = 25
"""Members that a voice can be shared with by name, the most that Discord's menu lets one pick."""

MAX_VOICE_DESCRIPTION_CHARS: Final = 400
"""What a designed voice was made from; longer descriptions are not followed any better."""

DATABASE_BUSY_SECONDS: Final = 5.0
"""How long a change waits for whoever holds the database; then the member hears about it."""

GENERATION_DAYS: Final = 7
"""How long the buttons under a generation work, and how long its text is kept for them."""

LEFT_GUILD_DAYS: Final = 30
"""What is kept of a server that removed the bot, in case that was a mistake; then it is deleted."""

MAX_BACKUPS: Final = 3
MAX_DAILY_BACKUPS: Final = 7
BACKUP_DAYS: Final = 30
"""Copies of the database from before its last changes of shape, and of the last days on which anything

changed; what was deleted is in none for longer.
"""

LOOK_OVER_SECONDS: Final = 5.0
"""How long a start looks for damage in the file of the database: several hundred megabytes."""

ASIDE_DAYS: Final = 30
"""Recordings that the database never knew, in case the right database comes back; then they are deleted."""

MAX_DIALOGUE_VOICES: Final = 8
"""Voices in one dialogue; nobody tells more apart, and each asks for its recording's address."""

MAX_DIALOGUE_LINES: Final = 40
"""Lines of one dialogue. Each is at least one call of the TTS gateway, however short it is."""

MAX_PORTABLE_BYTES: Final = 12 * 1024 * 1024
"""A voice as one zip: two minutes of 48 kHz mono are 11.5 MB, and what is beside it is small."""

MAX_DICTIONARY_WORDS: Final = 500
MAX_WORD_CHARS: Final = 60
MAX_SPOKEN_CHARS: Final = 200
"""A server's dictionary: its words, and how each is said. Longer ones are texts, and nobody reviews more."""

MAX_DICTIONARY_BYTES: Final = 512 * 1024
"""A dictionary as a file; a full one has 130 kB in Latin letters and 400 kB in others."""

MAX_READ_CHANNELS: Final = 20
"""Text channels of one server that are read aloud; all of them go into one voice channel at a time."""

MAX_SPOKEN_NAME_CHARS: Final = 32
"""What a member is called when they are read aloud: as long as a nickname at Discord."""

MAX_PREFIX_CHARS: Final = 5
"""Of messages that are not read: signs for the commands of other bots."""

MIN_READ_SECONDS: Final = 5
MAX_READ_SECONDS: Final = 120
"""How long one message may be read; longer ones are cut and end in "and so on"."""

MIN_READ_WAIT: Final = 15
MAX_READ_WAIT: Final = 300
"""After this long a message that waits to be read is left out: people talk about something else by then."""

MIN_NAME_PAUSE: Final = 10
MAX_NAME_PAUSE: Final = 60
"""Seconds of silence after which the name of the same speaker is said again."""
