"""The soundboard of a guild, with the bot's own permissions."""

from __future__ import annotations

import asyncio

from rehearsal.backstage import Backstage
from rehearsal.errors import DiscordAPIError, missing_permissions, unknown
from rehearsal.guild_record import GuildRecord
from rehearsal.permissions import Permission
from rehearsal.rest.call import Call, Reply, Route
from rehearsal.rest.guilds import guild_of_call
from rehearsal.rules.soundboard import check_sound, check_sound_fields, invalid_duration, sound_bytes
from rehearsal.soundboard import Sound
from rehearsal.voice.sound_file import format_and_seconds
from rehearsal.voice.voice_message import NoSoundError
from rehearsal.wire import INTENT_EXPRESSIONS, Json


def _sound(guild: GuildRecord, call: Call) -> Sound:
    sound = guild.sounds.get(call.number("sound_id"))
    if sound is None:
        raise unknown("sound", 10097)
    return sound


def _require(backstage: Backstage, guild: GuildRecord, sound: Sound | None = None) -> None:
    """Raise 50013 unless the bot may add sounds, or change ``sound``: its own, or anybody's."""
    permissions = guild.permissions_of(backstage.bot.id)
    own = sound is None or sound.maker == backstage.bot
    if not permissions & Permission.MANAGE_GUILD_EXPRESSIONS and not (
        own and permissions & Permission.CREATE_GUILD_EXPRESSIONS
    ):
        raise missing_permissions()


def tell_sound(backstage: Backstage, event: str, data: Json) -> None:
    """Tell the bot of a sound, if it has the intent for expressions."""
    guild_id = int(data["guild_id"])
    backstage.events.send(
        f"GUILD_SOUNDBOARD_SOUND_{event}", data, guild_id=guild_id, intents=INTENT_EXPRESSIONS
    )


async def get_sounds(backstage: Backstage, call: Call) -> Reply:
    """GET all sounds of a guild."""
    guild = guild_of_call(backstage, call)
    return Reply({"items": [sound.payload() for sound in guild.sounds.values()]})


async def get_sound(backstage: Backstage, call: Call) -> Reply:
    """GET one sound."""
    return Reply(_sound(guild_of_call(backstage, call), call).payload())


async def post_sound(backstage: Backstage, call: Call) -> Reply:
    """POST a new sound."""
    guild, body = guild_of_call(backstage, call), call.body
    _require(backstage, guild)
    check_sound_fields(body, new=True)
    data = sound_bytes(body)
    try:
        kind, seconds = await asyncio.to_thread(format_and_seconds, data)
    except NoSoundError:
        raise invalid_duration() from None
    check_sound(kind, seconds)
    if len(guild.sounds) >= guild.sound_slots:
        raise DiscordAPIError(
            400, 30045, f"Maximum number of soundboard sounds reached ({guild.sound_slots})"
        )
    content_type = "audio/mpeg" if kind == "mp3" else "audio/ogg"
    sound = Sound(
        backstage.snowflakes.new(), guild.id, body["name"], data, content_type, seconds, backstage.bot
    )
    _fill(sound, body)
    guild.sounds[sound.id] = sound
    backstage.cdn.sounds[sound.path] = (data, content_type)
    tell_sound(backstage, "CREATE", sound.payload())
    return Reply(sound.payload(), 201)


async def patch_sound(backstage: Backstage, call: Call) -> Reply:
    """PATCH a sound's name, volume or emoji."""
    guild, body = guild_of_call(backstage, call), call.body
    sound = _sound(guild, call)
    _require(backstage, guild, sound)
    check_sound_fields(body, new=False)
    _fill(sound, body)
    tell_sound(backstage, "UPDATE", sound.payload())
    return Reply(sound.payload())


async def delete_sound(backstage: Backstage, call: Call) -> Reply:
    """DELETE a sound."""
    guild = guild_of_call(backstage, call)
    sound = _sound(guild, call)
    _require(backstage, guild, sound)
    del guild.sounds[sound.id]
    backstage.cdn.sounds.pop(sound.path, None)
    tell_sound(backstage, "DELETE", {"guild_id": str(guild.id), "sound_id": str(sound.id)})
    return Reply(status=204)


def _fill(sound: Sound, body: Json) -> None:
    sound.name = body.get("name", sound.name)
    if "volume" in body:
        sound.volume = 1.0 if body["volume"] is None else float(body["volume"])
    if "emoji_id" in body or "emoji_name" in body:
        number = body.get("emoji_id")
        sound.emoji_id, sound.emoji_name = int(number) if number else None, body.get("emoji_name")


_SOUNDS = "/guilds/{guild_id}/soundboard-sounds"
ROUTES = [
    Route("GET", _SOUNDS, get_sounds),
    Route("POST", _SOUNDS, post_sound),
    Route("GET", _SOUNDS + "/{sound_id}", get_sound),
    Route("PATCH", _SOUNDS + "/{sound_id}", patch_sound),
    Route("DELETE", _SOUNDS + "/{sound_id}", delete_sound),
]
