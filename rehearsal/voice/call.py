"""One call: the bot, the humans who listen, and the group that encrypts for them."""

from __future__ import annotations

import asyncio
from typing import Protocol

from rehearsal.voice.dave import DaveGroup, GroupMember, PersonDave
from rehearsal.voice.listener import Listener
from rehearsal.voice.protocol import DAVE_VERSION, RTPHeader, VoiceFaults


class CallBot(GroupMember, Protocol):
    """The bot's end of a call."""

    def person_came(self, user_ids: list[int]) -> None:
        """Learn who is in the call (11)."""

    def person_went(self, user_id: int) -> None:
        """Learn who left (13)."""

    def prepare_epoch(self, epoch: int) -> None:
        """Be asked to make a group for DAVE version 1 (24)."""

    def prepare_transition(self, transition_id: int, version: int) -> None:
        """Be told of a change of the protocol version (21)."""


class VoiceCall:
    """Everybody in one voice channel. Listeners get every packet of the bot."""

    def __init__(self, guild_id: int, channel_id: int, faults: VoiceFaults) -> None:
        self.guild_id = guild_id
        self.channel_id = channel_id
        self.listeners: dict[int, Listener] = {}
        self.group = DaveGroup(channel_id, faults)
        self.encrypted = True
        self._faults = faults
        self._bot: CallBot | None = None
        self._in_clear = False  # the protocol version is 0 for the moment
        self._upgrade: asyncio.TimerHandle | None = None
        self._upgraded: asyncio.TimerHandle | None = None
        self.group.on_executed = self._transition_executed

    @property
    def is_empty(self) -> bool:
        """Return whether nobody is left."""
        return not self.listeners and self._bot is None

    @property
    def version_for_bot(self) -> int:
        """Return the protocol version that the bot's SESSION_DESCRIPTION names."""
        return DAVE_VERSION if self.encrypted and not self._faults.op4_version_zero_first else 0

    def set_encrypted(self, encrypted: bool) -> None:
        """Turn end-to-end encryption on, or off as in a stage channel."""
        if encrypted == self.encrypted:
            return
        self.encrypted = encrypted
        for listener in self.listeners.values():
            listener.encrypted = encrypted
            if encrypted:
                self.group.join(listener.dave)
            else:
                self.group.leave(listener.user_id)

    def add_listener(self, user_id: int) -> Listener:
        """Let a human in and return their ears."""
        listener = Listener(user_id, PersonDave(user_id, self.channel_id, self.group))
        listener.encrypted = self.encrypted
        self.listeners[user_id] = listener
        if self._bot is not None:
            self._bot.person_came([user_id])
        if self.encrypted:
            if self._in_clear and self._bot is not None and not self._upgrade:
                self._begin_upgrade()
            self.group.join(listener.dave)
        return listener

    def remove_listener(self, user_id: int) -> None:
        """Let a human go; they hear nothing more."""
        if self.listeners.pop(user_id, None) is None:
            return
        if self._bot is not None:
            self._bot.person_went(user_id)
            if self._faults.alone_version_zero and self.encrypted and not self.listeners:
                self._downgrade()
        self.group.leave(user_id)

    def add_bot(self, bot: CallBot) -> None:
        """Let the bot in once it has its SESSION_DESCRIPTION."""
        self._bot = bot
        bot.person_came(list(self.listeners))
        if not self.encrypted:
            return
        if self._faults.op4_version_zero_first:
            self._in_clear = True
            loop = asyncio.get_running_loop()
            self._upgrade = loop.call_later(self._faults.upgrade_delay, self._begin_upgrade)
        else:
            self.group.join(bot)

    def remove_bot(self, bot: CallBot) -> None:
        """Let the bot go, if it is still this one."""
        if self._bot is not bot:
            return
        self._bot = None
        self._end_of_clear()
        self.group.leave(bot.user_id)

    def hear(self, header: RTPHeader, sender_id: int, payload: bytes) -> None:
        """Give a packet of the bot to everyone who listens."""
        in_clear = self._in_clear or not self.encrypted
        for listener in self.listeners.values():
            listener.hear(header, sender_id, payload, in_clear=in_clear)

    def close(self) -> None:
        """Forget everybody and every callback."""
        self._end_of_clear()
        self._bot = None
        self.listeners.clear()
        self.group.close()

    def _begin_upgrade(self) -> None:
        """Go from version 0 to 1: a new epoch, and the bot may come into the group."""
        bot, self._upgrade = self._bot, None
        if bot is None:
            return
        bot.prepare_epoch(1)
        self.group.join(bot)
        loop = asyncio.get_running_loop()
        self._upgraded = loop.call_later(self._faults.transition_seconds, self._end_of_clear)

    def _downgrade(self) -> None:
        """Fall back to version 0 because nobody is left to encrypt for."""
        if self._bot is None:
            return
        self.group.leave(self._bot.user_id)
        self._in_clear = True
        self._bot.prepare_transition(_DOWNGRADE, 0)

    def transition_ready(self, bot: CallBot, transition_id: int) -> None:
        """Take the bot's word that it can go over (23)."""
        if transition_id == _DOWNGRADE and self._in_clear:
            bot.execute(transition_id)
        else:
            self.group.ready(bot, transition_id)

    def _transition_executed(self) -> None:
        if self._bot is not None and self._bot.user_id in self.group.user_ids:
            self._end_of_clear()

    def _end_of_clear(self) -> None:
        for timer in (self._upgrade, self._upgraded):
            if timer is not None:
                timer.cancel()
        self._upgrade = self._upgraded = None
        self._in_clear = False


_DOWNGRADE = 0xFFFF
"""The transition id of a fall back to version 0; the group's own ids count up from 1."""
