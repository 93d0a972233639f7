"""The names of Discord's JSON: what every file that speaks it shares."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]
"""One JSON object as Discord writes it."""

LOADING: Final = 1 << 7
EPHEMERAL: Final = 1 << 6
SUPPRESS_EMBEDS: Final = 1 << 2
SUPPRESS_NOTIFICATIONS: Final = 1 << 12
VOICE_MESSAGE: Final = 1 << 13
COMPONENTS_V2: Final = 1 << 15
"""Message flags (Discord's documentation, Message Flags)."""

INTENT_GUILDS: Final = 1 << 0
INTENT_MEMBERS: Final = 1 << 1
INTENT_EXPRESSIONS: Final = 1 << 3
INTENT_VOICE_STATES: Final = 1 << 7
INTENT_PRESENCES: Final = 1 << 8
INTENT_GUILD_MESSAGES: Final = 1 << 9
INTENT_DIRECT_MESSAGES: Final = 1 << 12
INTENT_MESSAGE_CONTENT: Final = 1 << 15
PRIVILEGED_INTENTS: Final = INTENT_MEMBERS | INTENT_PRESENCES | INTENT_MESSAGE_CONTENT
"""Intents of the Discord Gateway; the privileged ones must be switched on for the application."""

MEBIBYTE: Final = 1024 * 1024
UPLOAD_LIMITS: Final = (10 * MEBIBYTE, 10 * MEBIBYTE, 50 * MEBIBYTE, 100 * MEBIBYTE)
"""Largest file by a guild's boost tier."""
NITRO_UPLOAD_LIMIT: Final = 500 * MEBIBYTE
