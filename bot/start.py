"""The start: what can stand in its way, a sentence for each, and how long waiting for its end makes sense."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import socket
import ssl
from dataclasses import dataclass
from typing import Final

import aiohttp
import discord

from bot import typed
from bot.data_folder import disk_error
from bot.errors import (
    DamagedDatabaseError,
    DataFolderError,
    LibraryBusyError,
    LibraryError,
    LibraryUnreachableError,
    NotDiscordError,
    OtherDatabaseError,
    SettingsError,
    SpeechBotError,
    TTSError,
)
from bot.settings import Proxy
from bot.tts.http import RetryPolicy, seconds_to_wait

log = logging.getLogger(__name__)

_IDENTIFIES_KEPT_BACK: Final = 20
"""Of Discord's own count for the day: for sessions that are lost."""

_HOUR: Final = 3_600.0
_SOME_MINUTES: Final = 600.0
"""So long a network or a database may still be on its way up; then a process manager starts us again."""

_PAUSES: Final = RetryPolicy(tries=32, base_delay=2.0, max_delay=120.0, max_retry_after=_HOUR)

_LOGIN_REFUSED: Final = "Discord refused DISCORD_TOKEN. Copy it again from the developer portal."
_WRONG_TOKEN_CLOSE: Final = 4004  # Discord's gateway close codes
_INTENTS_CLOSES: Final = (4013, 4014)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What kept the bot from starting.

    ``patience`` is for how many seconds in all trying again makes sense, ``retry_after`` when at the earliest
    if that was said, ``status`` the exit status of a bot that gives up.
    """

    sentence: str
    patience: float = 0.0
    retry_after: float | None = None
    status: int = 1


class Waits:
    """The pauses between the tries to start; they grow, with some luck in them, and end with the patience."""

    def __init__(self, *, policy: RetryPolicy = _PAUSES) -> None:
        self._policy = policy
        self._tries = 0
        self._since = 0.0

    def after(self, obstacle: Obstacle, now: float) -> float | None:
        """Return the seconds to wait at ``now``, a monotonic time; None: this is not going to get better."""
        self._tries += 1
        if self._tries == 1:
            self._since = now
        if now - self._since >= obstacle.patience:
            return None
        told = obstacle.retry_after
        return self._policy.delay(
            min(self._tries, self._policy.tries - 1),
            random.random(),
            retry_after=None if told is None else min(told, self._policy.max_retry_after),
        )


async def identifies_left(bot: discord.AutoShardedClient) -> None:
    """Return when Discord's own count of the day leaves room for a start of ``bot``, which is logged in.

    Each of its shards identifies itself.
    """
    while True:
        shards, _, limits = await bot.http.get_bot_gateway()
        if limits["remaining"] >= min(_IDENTIFIES_KEPT_BACK + shards, limits["total"]):
            return
        wait = min(_HOUR, limits["reset_after"] / 1_000 + 1.0)
        log.warning(
            "Discord lets this bot identify itself only %d more times today, and a start takes %d. It waits "
            "%.0f s, because Discord takes the token from a bot that starts too often.",
            *(limits["remaining"], shards, wait),
        )
        await asyncio.sleep(wait)


def obstacle_of(error: BaseException, proxy: Proxy | None = None) -> Obstacle:
    """Return what ``error`` means for the start of a bot that reaches Discord through ``proxy``."""
    match error:
        case discord.LoginFailure():
            return Obstacle(_LOGIN_REFUSED, status=2)
        case discord.PrivilegedIntentsRequired():
            return _intents_refused()
        case discord.GatewayNotFound() if isinstance(error.__cause__, discord.HTTPException):
            return _of_status(error.__cause__)
        case discord.HTTPException():
            return _of_status(error)
        case discord.ConnectionClosed():
            return _of_close(error.code)
        case discord.DiscordException():
            return Obstacle(f"The connection to Discord failed: {type(error).__name__}.", math.inf)
        case SpeechBotError():
            return _of_ours(error, proxy)
        case aiohttp.ClientError() | ssl.SSLError() | TimeoutError():
            return _of_network(error, proxy)
        case OSError() if _is_of_disk(error):
            return Obstacle(str(disk_error(error)), status=2)
        case OSError():
            return _of_network(error, proxy)
    return Obstacle(
        f"The bot stopped because of a bug in it ({type(error).__name__}). Set LOG_LEVEL=debug to "
        "see where, and report it."
    )


def _intents_refused() -> Obstacle:
    return Obstacle(
        "Discord refuses the intents that this bot asks for. Check Bot, Privileged Gateway "
        "Intents, in the developer portal.",
        status=2,
    )


def _of_status(error: discord.HTTPException) -> Obstacle:
    wait = seconds_to_wait(error.response.headers)
    match error.status:
        case 401:
            return Obstacle(_LOGIN_REFUSED, status=2)
        case 429:
            what = "Discord accepts no more requests from this bot or this network for now (status 429)."
        case 403:
            what = "Discord, or something in front of it, refuses this network for now (status 403)."
        case status if status >= 500:
            what = f"Discord has a problem on its side (status {status})."
        case status:
            what = f"Discord refused the login (status {status})."
    return Obstacle(what, math.inf, wait)


def _of_close(code: int | None) -> Obstacle:
    if code == _WRONG_TOKEN_CLOSE:
        return Obstacle(_LOGIN_REFUSED, status=2)
    if code in _INTENTS_CLOSES:
        return _intents_refused()
    return Obstacle(f"Discord ended the connection for good (close code {code}).", math.inf)


def _of_ours(error: SpeechBotError, proxy: Proxy | None) -> Obstacle:
    match error:
        case SettingsError() | DataFolderError() | DamagedDatabaseError() | OtherDatabaseError():
            return Obstacle(str(error), status=2)
        case NotDiscordError():
            return Obstacle(
                f"Something other than Discord answers{_through(proxy)}. Check whether this "
                "network has a login page or a filter.",
                math.inf,
            )
        case LibraryUnreachableError() | LibraryBusyError():
            return Obstacle(str(error), _SOME_MINUTES)
        case LibraryError() if isinstance(error.__cause__, OSError) and _is_of_disk(error.__cause__):
            return Obstacle(str(error), status=2)
        case TTSError():
            return Obstacle(f"The TTS gateway could not be started: {error}. Try: {typed('bot check')}")
    return Obstacle(str(error))


def _of_network(error: BaseException, proxy: Proxy | None) -> Obstacle:
    match error:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            found = getattr(error, "certificate_error", error)
            reason = getattr(found, "verify_message", "") or type(found).__name__
            what = (
                f"The certificate shown for Discord{_through(proxy)} is not trusted ({reason}). "
                "If a proxy or a filter inspects TLS here, set SSL_CERT_FILE to the file of its "
                "CA certificate."
            )
        case aiohttp.ClientProxyConnectionError():
            what = f"The proxy {_place(proxy)} cannot be reached. Check HTTPS_PROXY."
        case aiohttp.ClientHttpProxyError():
            what = (
                f"The proxy {_place(proxy)} does not let the bot through to Discord (status "
                f"{error.status}). Check HTTPS_PROXY, its user and its password."
            )
        case aiohttp.ClientConnectorDNSError():
            what = "The name discord.com was not found. Is this machine online, and does its DNS work?"
        case _:
            kind = type(error).__name__
            what = f"Discord cannot be reached{_through(proxy)} ({kind}). Is this machine online?"
    return Obstacle(what, _SOME_MINUTES)


def _place(proxy: Proxy | None) -> str:
    return proxy.place if proxy else "in front of this network"


def _through(proxy: Proxy | None) -> str:
    return f" through the proxy {proxy.place} (HTTPS_PROXY)" if proxy else ""


def _is_of_disk(error: OSError) -> bool:
    """Return whether a file or a disk is behind it; what the network does has no file name."""
    return not isinstance(error, ConnectionError | TimeoutError | ssl.SSLError | socket.gaierror)
