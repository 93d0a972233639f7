"""Channels and messages over REST, with the bot's own permissions."""

from __future__ import annotations

from rehearsal.backstage import Backstage
from rehearsal.errors import DiscordAPIError, form_error, missing_access, missing_permissions, unknown
from rehearsal.payloads import channel_payload
from rehearsal.permissions import Permission
from rehearsal.publishing import reply_flags
from rehearsal.records import Channel, ChannelKind, Message
from rehearsal.rest.call import RESTCall, RESTReply, Route
from rehearsal.rest.webhooks import check_may_send_voice_message, edit_checked
from rehearsal.rules.messages import check_message, check_not_empty, check_sizes, check_voice_message
from rehearsal.wire import (
    COMPONENTS_V2,
    SUPPRESS_EMBEDS,
    SUPPRESS_NOTIFICATIONS,
    UPLOAD_LIMITS,
    VOICE_MESSAGE,
    Json,
)

_FLAGS = SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | VOICE_MESSAGE | COMPONENTS_V2


def _channel(backstage: Backstage, call: RESTCall) -> Channel:
    """Return the channel the bot may see. Raises 10003 or 50001."""
    channel = backstage.directory.channel(call.number("channel_id"))
    guild = backstage.directory.guild_of(channel)
    if guild is None:
        if backstage.bot not in channel.recipients:
            raise missing_access()
    elif not guild.permissions_of(backstage.bot.id, channel) & Permission.VIEW_CHANNEL:
        raise missing_access()
    return channel


def _require(backstage: Backstage, channel: Channel, *needed: Permission) -> None:
    guild = backstage.directory.guild_of(channel)
    if guild is None:
        return
    permissions = guild.permissions_of(backstage.bot.id, channel)
    if channel.is_voice and not permissions & Permission.CONNECT:
        raise missing_access()
    if any(not permissions & permission for permission in needed):
        raise missing_permissions()


def _reads_history(backstage: Backstage, channel: Channel) -> bool:
    guild = backstage.directory.guild_of(channel)
    if guild is None:
        return True
    return bool(guild.permissions_of(backstage.bot.id, channel) & Permission.READ_MESSAGE_HISTORY)


def _message(backstage: Backstage, call: RESTCall) -> Message:
    channel = _channel(backstage, call)
    message = backstage.directory.message(channel, call.number("message_id"))
    if message.ephemeral:
        raise unknown("Message", 10008)
    return message


def _upload_limit(backstage: Backstage, channel: Channel) -> int:
    guild = backstage.directory.guild_of(channel)
    return guild.upload_limit if guild else UPLOAD_LIMITS[0]


async def get_channel(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET /channels/{channel_id}."""
    return RESTReply(channel_payload(_channel(backstage, call)))


async def get_thread_member(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET one member of a thread: of those who have been added to it."""
    channel, user_id = _channel(backstage, call), call.number("user_id")
    if not channel.is_thread:
        raise DiscordAPIError(400, 50024, "Cannot execute action on this channel type")
    if all(user.id != user_id for user in channel.recipients):
        raise unknown("Member", 10007)
    joined = {"join_timestamp": "2026-01-01T00:00:00+00:00", "flags": 0}
    return RESTReply({"id": str(channel.id), "user_id": str(user_id), **joined})


async def get_message(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET one message, with fresh addresses of its files."""
    message = _message(backstage, call)
    channel = backstage.directory.channels[message.channel_id]
    _require(backstage, channel, Permission.READ_MESSAGE_HISTORY)
    return RESTReply(backstage.publisher.fetched_payload(message))


async def get_messages(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET the newest messages, newest first; `before` and `after` are ids.

    Without Read Message History there are none.
    """
    channel = _channel(backstage, call)
    _require(backstage, channel)
    if not _reads_history(backstage, channel):
        return RESTReply([])
    before, after = int(call.query.get("before", 1 << 63)), int(call.query.get("after", 0))
    found = [message for message in channel.history if after < message.id < before]
    newest = found[::-1][: int(call.query.get("limit", 50))]
    return RESTReply([backstage.publisher.fetched_payload(message) for message in newest])


async def post_message(backstage: Backstage, call: RESTCall) -> RESTReply:
    """POST a message."""
    channel = _channel(backstage, call)
    _check_recipient(backstage, channel)
    body = call.body
    files = call.uploads(body)
    check_message(body, allowed_flags=_FLAGS)
    check_voice_message(body, files)
    if backstage.publisher.forwarded_by(body) is None:
        check_not_empty(body, files)
    _check_permissions(backstage, channel, body, uploads=bool(files))
    check_sizes((len(file.data) for file in files), limit=_upload_limit(backstage, channel))
    twin = _twin(backstage, channel, body)
    if twin is not None:
        return RESTReply(backstage.publisher.payload(twin))
    _check_reference(backstage, channel, body)
    flags = reply_flags(body.get("flags") or 0, ephemeral=False)
    message = backstage.publisher.publish(channel, backstage.bot, body, files, flags=flags)
    return RESTReply(backstage.publisher.payload(message))


def _check_permissions(backstage: Backstage, channel: Channel, body: Json, *, uploads: bool) -> None:
    _require(backstage, channel, channel.send_permission)
    is_voice_message = bool((body.get("flags") or 0) & VOICE_MESSAGE)
    if uploads and not is_voice_message:
        _require(backstage, channel, Permission.ATTACH_FILES)
    if body.get("embeds"):
        _require(backstage, channel, Permission.EMBED_LINKS)
    guild = backstage.directory.guild_of(channel)
    if guild and is_voice_message:
        check_may_send_voice_message(guild.permissions_of(backstage.bot.id, channel))


def _check_recipient(backstage: Backstage, channel: Channel) -> None:
    if channel.kind is not ChannelKind.DM:
        return
    directory = backstage.directory
    others = [user.id for user in channel.recipients if user != backstage.bot]
    if directory.refuses_dms.intersection(others):
        raise DiscordAPIError(403, 50007, "Cannot send messages to this user")
    if not all(directory.is_within_reach(user_id) for user_id in others):
        raise DiscordAPIError(403, 50278, "Cannot send messages to this user due to having no mutual guilds")


def _twin(backstage: Backstage, channel: Channel, body: Json) -> Message | None:
    """Return the message that was already sent under this nonce, when the bot asked for that."""
    if not body.get("enforce_nonce") or body.get("nonce") is None:
        return None
    own = (m for m in channel.messages.values() if m.author == backstage.bot and not m.deleted)
    return next((m for m in own if m.nonce == body["nonce"]), None)


def _check_reference(backstage: Backstage, channel: Channel, body: Json) -> None:
    reference = body.get("message_reference")
    if not reference:
        return
    forwarded = backstage.publisher.forwarded_by(body)
    if forwarded is not None:
        if not backstage.publisher.shows_content(forwarded):
            message = "You cannot forward a message whose content you cannot read."
            raise DiscordAPIError(400, 160014, message)
        return
    if not _reads_history(backstage, channel):
        raise DiscordAPIError(403, 160002, "Cannot reply without permission to read message history")
    if not reference.get("fail_if_not_exists", True):
        return
    target = channel.messages.get(int(reference["message_id"]))
    if target is None or target.deleted or target.ephemeral:
        raise form_error(("message_reference",), "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")


async def patch_message(backstage: Backstage, call: RESTCall) -> RESTReply:
    """PATCH one of the bot's own messages."""
    message = _message(backstage, call)
    if message.author != backstage.bot:
        raise DiscordAPIError(403, 50005, "Cannot edit a message authored by another user")
    channel = backstage.directory.channels[message.channel_id]
    edit_checked(backstage, message, call.body, call, limit=_upload_limit(backstage, channel))
    return RESTReply(backstage.publisher.payload(message))


async def delete_message(backstage: Backstage, call: RESTCall) -> RESTReply:
    """DELETE a message: the bot's own, or any with the permission."""
    message = _message(backstage, call)
    if message.author != backstage.bot:
        channel = backstage.directory.channels[message.channel_id]
        if channel.guild_id is None:
            raise DiscordAPIError(403, 50003, "Cannot execute action on a DM channel")
        _require(backstage, channel, Permission.MANAGE_MESSAGES)
    backstage.publisher.delete(message)
    return RESTReply(status=204)


async def post_typing(backstage: Backstage, call: RESTCall) -> RESTReply:
    """POST the typing indicator."""
    channel = _channel(backstage, call)
    _require(backstage, channel, channel.send_permission)
    return RESTReply(status=204)


_MESSAGES = "/channels/{channel_id}/messages"
ROUTES = [
    Route("GET", "/channels/{channel_id}", get_channel),
    Route("GET", "/channels/{channel_id}/thread-members/{user_id}", get_thread_member),
    Route("POST", _MESSAGES, post_message),
    Route("GET", _MESSAGES, get_messages),
    Route("GET", _MESSAGES + "/{message_id}", get_message),
    Route("PATCH", _MESSAGES + "/{message_id}", patch_message),
    Route("DELETE", _MESSAGES + "/{message_id}", delete_message),
    Route("POST", "/channels/{channel_id}/typing", post_typing),
]
