"""Starter voices: there from the first minute, the same in every server, and nobody's own.

Each is described here and nowhere else. A TTS gateway makes its recording at the first use, one call each;
the recording is kept for all servers, under a digest of the TTS gateway and the description, so that another
one is made where either changes. In the table of voices a starter is a row of no server and no member, so
that it can be chosen like any other.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import delete, select

from bot.library.database import Database, upsert
from bot.library.recordings import Recordings
from bot.library.tables import StarterRecordingRow, VoiceRow
from bot.library.voice import NO_GUILD, NOBODY, Clock, Kind, Sharing, Voice, VoiceName, name_key, utc_now


@dataclass(frozen=True, slots=True)
class Starter:
    """A starter voice: ``word`` tells it from the others in a few words, ``style`` describes it to the model.

    ``sample`` is what it says when it is made, and so the transcript of its recording: 5 to 9 s.
    """

    id: str
    name: str
    word: str
    style: str
    sample: str


STARTERS: Final = (
    Starter(
        "starter-warm",
        "Warm",
        "calm and friendly",
        "a woman with a warm, low voice, calm and gentle",
        "Hello, and welcome. Make yourself at home, there is tea on the table, and we have all the time we "
        "need for a good talk.",
    ),
    Starter(
        "starter-bright",
        "Bright",
        "young and cheerful",
        "a young woman with a bright, clear voice, cheerful and smiling",
        "Good morning, everybody! The sun is out, the kettle is singing, and today is going to be a "
        "wonderful day.",
    ),
    Starter(
        "starter-narrator",
        "Narrator",
        "deep and unhurried",
        "a man with a deep, calm voice, reading a story to the end of a long day",
        "Far beyond the hills, where the river meets the sea, there stood a house with one lit window, and "
        "behind it somebody was awake.",
    ),
    Starter(
        "starter-wizard",
        "Wizard",
        "old, rough and slow",
        "a very old man with a rough, creaking voice, slow and full of secrets",
        "Many winters have I seen, young traveller, and many roads. Come closer to the fire, and listen "
        "well.",
    ),
    Starter(
        "starter-child",
        "Child",
        "small and curious",
        "a small child of seven years, curious and cheerful",
        "Look what I have found under the big tree! It is round and shiny, and I think it is a dragon egg. "
        "Can we keep it, please?",
    ),
    Starter(
        "starter-robot",
        "Robot",
        "flat and mechanical",
        "a robot, mechanical and monotone",
        "All systems are ready. I have counted every star in this sector, and the result is correct. Please "
        "state your next request.",
    ),
    Starter(
        "starter-announcer",
        "Announcer",
        "loud and excited",
        "a man announcing a show, loud, excited and fast",
        "Ladies and gentlemen, this is the moment you have all been waiting for! Put your hands together, "
        "here they come, live on our stage tonight!",
    ),
    Starter(
        "starter-whisper",
        "Whisper",
        "quiet and close",
        "a young woman whispering, quiet and close to the ear",
        "Come here, and do not make a sound. They are all asleep upstairs, and I want to show you "
        "something very special.",
    ),
)

DEFAULT_STARTER: Final = STARTERS[0]
"""What speaks where nobody has chosen anything."""

_BY_ID: Final = {starter.id: starter for starter in STARTERS}


def starter_of(voice_id: str) -> Starter | None:
    """Return the starter with this id; None: it is the id of another voice."""
    return _BY_ID.get(voice_id)


POST_ID_CHARS: Final = 22  # as in every id


def post_id(voice_id: str, recording: str) -> str:
    """Return what the posts of a voice's recording, a SHA-256, are known by: its id.

    That of a starter says nothing of which recording it is: with another TTS gateway it has another one.
    """
    return recording[:POST_ID_CHARS] if voice_id in _BY_ID else voice_id


def starter_named(name: str) -> Starter | None:
    """Return the starter with this name or id; None: there is none."""
    key = name_key(name)
    return _BY_ID.get(name) or next((starter for starter in STARTERS if name_key(starter.name) == key), None)


def starters_with(typed: str) -> list[VoiceName]:
    """Return the starters in whose name or word there is what was ``typed``, however it is written."""
    key = name_key(typed)
    return [
        VoiceName(starter.id, starter.name, starter.word)
        for starter in STARTERS
        if key in name_key(starter.name) or key in name_key(starter.word)
    ]


@dataclass(frozen=True, slots=True)
class StarterRecording:
    """A recording of a starter voice by one TTS gateway: its SHA-256, and its length."""

    recording: str
    seconds: float


class StarterVoices:
    """The rows of the starters, and their recordings, of every TTS gateway that has made some."""

    def __init__(self, database: Database, recordings: Recordings, *, now: Clock = utc_now) -> None:
        self._database = database
        self._recordings = recordings
        self._now = now

    async def bring_up_to_date(self) -> None:
        """Write down the starters as they are described now; who chose one that is gone has none then."""
        async with self._database.reading() as session:
            rows = {row.id: row for row in await session.scalars(_ROWS)}
            stale = [one for one in STARTERS if one.id not in rows or _says_less(rows[one.id], one)]
        if not stale and rows.keys() == _BY_ID.keys():
            return
        async with self._database.session() as session:
            await session.execute(
                delete(VoiceRow).where(VoiceRow.guild_id == NO_GUILD, VoiceRow.id.not_in(_BY_ID))
            )
            for starter in stale:
                await upsert(session, VoiceRow, {"id": starter.id}, _values(starter, self._now))

    async def find(self, starter: Starter, source: str) -> StarterRecording | None:
        """Return the recording that the TTS gateway ``source`` has made, if it is in our folder."""
        async with self._database.reading() as session:
            made = select(StarterRecordingRow).where(StarterRecordingRow.digest == _digest(starter, source))
            rows = (await session.scalars(made.order_by(StarterRecordingRow.made_at))).all()
        for row in rows:  # of several bots with one database, each has a folder of its own
            if await self._recordings.has(row.recording):
                return StarterRecording(row.recording, row.seconds)
        return None

    async def keep(self, starter: Starter, source: str, made: StarterRecording) -> None:
        """Keep what the TTS gateway ``source`` has made; its file is kept already. Raises `LibraryError`."""
        key = {"digest": _digest(starter, source), "recording": made.recording}
        async with self._database.session() as session:
            await self._recordings.hold(session, made.recording)
            values = {"seconds": made.seconds, "made_at": self._now()}
            await upsert(session, StarterRecordingRow, key, values)
        await self._recordings.saved(made.recording)


def recorded(voice: Voice, made: StarterRecording) -> Voice:
    """Return the voice of a starter with the recording it speaks with."""
    return replace(voice, recording=made.recording, seconds=made.seconds)


_ROWS: Final = select(VoiceRow).where(VoiceRow.guild_id == NO_GUILD)


def _digest(starter: Starter, source: str) -> str:
    """Return what is equal for equal recordings: the same TTS gateway was told the same."""
    told = json.dumps([source, starter.id, starter.style, starter.sample])
    return hashlib.sha256(told.encode()).hexdigest()


def _says_less(row: VoiceRow, starter: Starter) -> bool:
    told = (starter.name, starter.style, starter.sample)
    return (row.name, row.description, row.transcript) != told


def _values(starter: Starter, now: Clock) -> dict[str, object]:
    return {
        "guild_id": NO_GUILD,
        "name": starter.name,
        "name_key": starter.id,  # two of them may change names
        "owner_id": NOBODY,
        "kind": Kind.STARTER.value,
        "recording": "",  # each TTS gateway has its own
        "seconds": 0.0,
        "transcript": starter.sample,
        "description": starter.style,
        "sharing": Sharing.SERVER.value,
        "uses": 0,
        "created_at": now(),
        "is_frozen": False,
    }
