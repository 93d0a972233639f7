"""Soundboard over REST, and what Discord accepts as a sound (its documentation, Soundboard Resource)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from typing import Final

from rehearsal.backstage import Backstage
from rehearsal.errors import DiscordAPIError, FormErrors, form_error, missing_permissions, unknown
from rehearsal.permissions import Permission
from rehearsal.records import GuildRecord, Sound
from rehearsal.rest.account import guild_of_call
from rehearsal.rest.call import RESTCall, RESTReply, Route
from rehearsal.voice.sound_file import NoSoundError, format_and_seconds
from rehearsal.wire import INTENT_EXPRESSIONS, Json

MAX_SOUND_BYTES: Final = 512_000
MAX_SOUND_SECONDS: Final = 5.2
_FORMATS: Final = ("mp3", "ogg")
_DATA_URI = re.compile(r"data:audio/(?:mpeg|mp3|ogg);base64,(.*)", re.DOTALL)


def check_sound_fields(payload: Json, *, new: bool) -> None:
    """Raise the `DiscordAPIError` with which Discord refuses a sound's name, volume or emoji."""
    errors = FormErrors()
    if new or "name" in payload:
        errors.length(("name",), payload.get("name"), 2, 32)
    volume = payload.get("volume")
    if volume is not None and (not isinstance(volume, (int, float)) or not 0 <= volume <= 1):
        errors.add(("volume",), "NUMBER_TYPE_RANGE", "Value must be between 0 and 1.")
    if payload.get("emoji_id") is not None and payload.get("emoji_name") is not None:
        errors.add(("emoji_id",), "EMOJI_FIELDS_EXCLUSIVE", "Only one of emoji_id and emoji_name can be set.")
    errors.raise_if_any()


def sound_bytes(payload: Json) -> bytes:
    """Return the bytes of a new sound. Raises `DiscordAPIError` when it is no data URI or too large."""
    found = _DATA_URI.fullmatch(payload["sound"]) if isinstance(payload.get("sound"), str) else None
    try:
        data = base64.b64decode(found[1], validate=True) if found else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise form_error(
            ("sound",), "SOUNDBOARD_SOUND_INVALID", "A data URI of an MP3 or Ogg file is needed."
        )
    if len(data) > MAX_SOUND_BYTES:
        raise DiscordAPIError(400, 50045, "File uploaded exceeds the maximum size")
    return data


def check_sound(kind: str, seconds: float) -> None:
    """Raise the `DiscordAPIError` with which Discord refuses a sound of that format or length."""
    if kind not in _FORMATS:
        raise form_error(("sound",), "SOUNDBOARD_SOUND_INVALID", "Only MP3 and Ogg files can be used.")
    if seconds > MAX_SOUND_SECONDS:
        raise invalid_duration()


def invalid_duration() -> DiscordAPIError:
    """Return the refusal of a file that is too long, or no sound at all."""
    return DiscordAPIError(400, 50124, "The provided file does not have a valid duration.")


def _sound(guild: GuildRecord, call: RESTCall) -> Sound:
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


async def get_sounds(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET all sounds of a guild."""
    guild = guild_of_call(backstage, call)
    return RESTReply({"items": [sound.payload() for sound in guild.sounds.values()]})


async def get_sound(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET one sound."""
    return RESTReply(_sound(guild_of_call(backstage, call), call).payload())


async def post_sound(backstage: Backstage, call: RESTCall) -> RESTReply:
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
    return RESTReply(sound.payload(), 201)


async def patch_sound(backstage: Backstage, call: RESTCall) -> RESTReply:
    """PATCH a sound's name, volume or emoji."""
    guild, body = guild_of_call(backstage, call), call.body
    sound = _sound(guild, call)
    _require(backstage, guild, sound)
    check_sound_fields(body, new=False)
    _fill(sound, body)
    tell_sound(backstage, "UPDATE", sound.payload())
    return RESTReply(sound.payload())


async def delete_sound(backstage: Backstage, call: RESTCall) -> RESTReply:
    """DELETE a sound."""
    guild = guild_of_call(backstage, call)
    sound = _sound(guild, call)
    _require(backstage, guild, sound)
    del guild.sounds[sound.id]
    backstage.cdn.sounds.pop(sound.path, None)
    tell_sound(backstage, "DELETE", {"guild_id": str(guild.id), "sound_id": str(sound.id)})
    return RESTReply(status=204)


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
