"""Who is in which voice channel: op 4 of the bot, people who join and leave, kicks and moves."""

from __future__ import annotations

import asyncio
import datetime
import secrets

from rehearsal.errors import DiscordAPIError, RehearsalError, missing_permissions
from rehearsal.events import Events
from rehearsal.payloads import voice_state_payload
from rehearsal.permissions import Permission
from rehearsal.records import Channel, ChannelKind, Directory, GuildRecord, VoiceState
from rehearsal.voice.listener import Listener
from rehearsal.voice.server import VoiceServer
from rehearsal.wire import INTENT_VOICE_STATES, Json

KICKED = 4014
CALL_TERMINATED = 4022
"""Voice close codes (Discord's documentation, Voice Close Event Codes)."""


class VoiceDesk:
    """Keeps the voice states of all guilds, tells the bot, and tells the voice server."""

    def __init__(self, voice: VoiceServer, directory: Directory, events: Events) -> None:
        self._voice = voice
        self._directory = directory
        self._events = events
        self._bot_id = directory.bot.id
        self._one_at_a_time = asyncio.Lock()

    async def bot_asks(self, session_id: str, data: Json) -> None:
        """Carry out op 4. What Discord would not grant is answered with nothing at all."""
        async with self._one_at_a_time:
            guild = self._directory.guilds.get(int(data["guild_id"]))
            if guild is None or self._bot_id not in guild.members:
                return
            if data["channel_id"] is None:
                await self._remove_bot(guild, close_code=None)
                return
            channel = guild.channels.get(int(data["channel_id"]))
            if channel is None or not self._admits(guild, channel, self._bot_id):
                return
            state = VoiceState(self._bot_id, channel.id, session_id)
            state.self_mute, state.self_deaf = bool(data["self_mute"]), bool(data["self_deaf"])
            self._place_bot(guild, channel, state)

    def _admits(self, guild: GuildRecord, channel: Channel, user_id: int) -> bool:
        if not channel.is_voice:
            return False
        permissions = guild.permissions_of(user_id, channel)
        if not permissions & Permission.CONNECT:
            return False
        others = [occupant for occupant in guild.occupants(channel) if occupant != user_id]
        full = 0 < channel.user_limit <= len(others)
        return not full or bool(permissions & Permission.MOVE_MEMBERS)

    def _place_bot(self, guild: GuildRecord, channel: Channel, state: VoiceState) -> None:
        before = guild.voice_states.get(self._bot_id)
        place = (state.channel_id, state.session_id)
        same = before is not None and (before.channel_id, before.session_id) == place
        state.mute = before is not None and before.mute  # a moderator's mute stays through a move
        if before is not None and same:
            state.suppress, state.request_to_speak_at = before.suppress, before.request_to_speak_at
        else:
            state.suppress = self._is_suppressed(guild, channel)
        guild.voice_states[self._bot_id] = state
        # Discord answers the same channel with a state only; a new server would make 2.7.1 reconnect.
        self._tell(guild, state)
        if not same:
            self._send_server(guild, channel, state.session_id)

    def _is_suppressed(self, guild: GuildRecord, channel: Channel) -> bool:
        may_speak = guild.permissions_of(self._bot_id, channel) & Permission.SPEAK
        return channel.kind is ChannelKind.STAGE or not may_speak

    def permissions_changed(self, guild: GuildRecord) -> None:
        """Silence the bot where it is no longer allowed to speak, or let it be heard again."""
        state = guild.voice_states.get(self._bot_id)
        channel = guild.channels[state.channel_id] if state else None
        if state is None or channel is None or channel.kind is ChannelKind.STAGE:
            return
        suppress = self._is_suppressed(guild, channel)
        if suppress != state.suppress:
            state.suppress = suppress
            self._tell(guild, state)

    def _send_server(self, guild: GuildRecord, channel: Channel, session_id: str) -> None:
        ticket = self._voice.expect_bot(
            guild_id=guild.id,
            channel_id=channel.id,
            user_id=self._bot_id,
            session_id=session_id,
            encrypted=channel.kind is not ChannelKind.STAGE,
        )
        data = {"token": ticket.token, "guild_id": str(guild.id), "endpoint": ticket.endpoint}
        self._events.send("VOICE_SERVER_UPDATE", data, guild_id=guild.id)

    def _tell(self, guild: GuildRecord, state: VoiceState, *, left: bool = False) -> None:
        if state.user_id == self._bot_id:
            silenced = not left and (state.suppress or state.mute)
            self._voice.suppress_bot(guild_id=guild.id, suppressed=silenced)
        data = voice_state_payload(guild, state, left=left)
        self._events.send("VOICE_STATE_UPDATE", data, guild_id=guild.id, intents=INTENT_VOICE_STATES)

    async def _remove_bot(self, guild: GuildRecord, *, close_code: int | None) -> None:
        state = guild.voice_states.pop(self._bot_id, None)
        if state is None:
            return
        self._tell(guild, state, left=True)
        if close_code is not None:
            await self._voice.close_bot(guild.id, close_code)
        await self._voice.bot_left(guild_id=guild.id)

    async def kick_bot(self, guild: GuildRecord, close_code: int = KICKED) -> None:
        """Disconnect the bot from voice, as a moderator does."""
        async with self._one_at_a_time:
            await self._remove_bot(guild, close_code=close_code)

    async def move_bot(self, guild: GuildRecord, channel: Channel) -> None:
        """Drag the bot into another voice channel, as a moderator does."""
        async with self._one_at_a_time:
            before = guild.voice_states.get(self._bot_id)
            if before is None:
                raise RehearsalError("the bot is not in a voice channel")
            state = VoiceState(
                self._bot_id, channel.id, before.session_id, before.self_mute, before.self_deaf
            )
            self._place_bot(guild, channel, state)  # the voice server closes the old connection itself

    async def mute_bot(self, guild: GuildRecord, *, muted: bool) -> None:
        """Take the bot's voice away in this server, as a moderator does, or give it back."""
        async with self._one_at_a_time:
            state = guild.voice_states.get(self._bot_id)
            if state is None:
                raise RehearsalError("the bot is not in a voice channel")
            state.mute = muted
            self._tell(guild, state)

    async def new_voice_server(self, guild: GuildRecord) -> None:
        """Give the bot another voice server, as when a region is changed."""
        async with self._one_at_a_time:
            state = guild.voice_states.get(self._bot_id)
            if state is not None:
                self._send_server(guild, guild.channels[state.channel_id], state.session_id)

    async def session_over(self, session_id: str) -> None:
        """Take the bot out of voice wherever it was with a session that has ended."""
        for guild in self._directory.guilds.values():
            state = guild.voice_states.get(self._bot_id)
            if state is not None and state.session_id == session_id:
                await self.kick_bot(guild)

    async def person_joins(self, guild: GuildRecord, channel: Channel, user_id: int) -> Listener:
        """Put a person into a voice channel, out of any other. Raises `RehearsalError` as the app would."""
        if not self._admits(guild, channel, user_id):
            raise RehearsalError(f"you cannot join {channel.name}: it is full or you lack the permission")
        await self.person_leaves(guild, user_id)
        state = VoiceState(user_id, channel.id, secrets.token_hex(16))
        state.suppress = channel.kind is ChannelKind.STAGE
        guild.voice_states[user_id] = state
        self._tell(guild, state)
        return await self._voice.human_joins(guild_id=guild.id, channel_id=channel.id, user_id=user_id)

    async def person_leaves(self, guild: GuildRecord, user_id: int) -> None:
        """Take a person out of voice, if they are in."""
        state = guild.voice_states.pop(user_id, None)
        if state is not None:
            self._tell(guild, state, left=True)
            await self._voice.human_leaves(guild_id=guild.id, user_id=user_id)

    async def clear_channel(self, guild: GuildRecord, channel: Channel) -> None:
        """Take everybody out of a channel that is being deleted."""
        for user_id in guild.occupants(channel):
            if user_id == self._bot_id:
                await self.kick_bot(guild, CALL_TERMINATED)
            else:
                await self.person_leaves(guild, user_id)

    def edit_own_state(self, guild: GuildRecord, data: Json) -> None:
        """Carry out the bot's PATCH of its own state in a stage. Raises `DiscordAPIError`."""
        state = guild.voice_states.get(self._bot_id)
        channel = guild.channels[state.channel_id] if state else None
        if state is None or channel is None or channel.kind is not ChannelKind.STAGE:
            raise DiscordAPIError(404, 10065, "Unknown Voice State")
        if int(data.get("channel_id", channel.id)) != channel.id:
            raise DiscordAPIError(400, 50024, "Cannot execute action on this channel type")
        permissions = guild.permissions_of(self._bot_id, channel)
        if data.get("suppress") is False and not permissions & Permission.MUTE_MEMBERS:
            raise missing_permissions()
        if data.get("request_to_speak_timestamp") and not permissions & Permission.REQUEST_TO_SPEAK:
            raise missing_permissions()
        state.suppress = bool(data.get("suppress", state.suppress))
        if "request_to_speak_timestamp" in data:
            asked = data["request_to_speak_timestamp"]
            state.request_to_speak_at = datetime.datetime.fromisoformat(asked) if asked else None
        self._tell(guild, state)
