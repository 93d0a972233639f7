"""Opening the room: the page, its switches, and a browser to see it in."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rehearsal.cloning import turn_cloning_on
from rehearsal.room.on_call import BotOnCall
from rehearsal.room.room import Room
from rehearsal.room.setting import Part, Setting
from rehearsal.room.site import RoomSite
from rehearsal.room.switches import DiscordSwitches, TTSSwitches, VoiceSwitches
from rehearsal.server import Rehearsal

DEFAULT_PORT = 8765


@asynccontextmanager
async def opened_room(
    rehearsal: Rehearsal,
    bot: BotOnCall,
    tts: TTSSwitches,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
) -> AsyncIterator[RoomSite]:
    """Yield the site of a room in ``rehearsal``, whose page shows ``bot`` come and go.

    Without a ``port`` it takes 8765, or a free one if somebody has that. Raises `OSError` for a host or a
    port that cannot be had.
    """
    room = Room(rehearsal, Setting(rehearsal.world))

    async def restart() -> None:
        await bot.restart()
        await tts.again()

    room.add_switches(
        [
            *tts.all(),
            *VoiceSwitches(rehearsal, room.setting).all(),
            *DiscordSwitches(rehearsal, restart).all(),
        ]
    )
    room.bot_ended = lambda: bot.ended
    bot.changes.listen(room.changed)
    rehearsal.main_socket.changes.listen(room.changed)
    site = RoomSite(room, host=host, port=DEFAULT_PORT if port is None else port)
    await site.start(or_any_port=port is None)
    try:
        yield site
    finally:
        await site.aclose()


async def settle_in(room: Room) -> None:
    """Let Maud, the moderator, turn cloning on in The Rookery before anybody visits, as most would have it.

    Raises `TimeoutError` when the bot does not answer.
    """
    setting = room.setting
    (maud,) = (character.person for character in setting.characters if character.part is Part.MODERATOR)
    await turn_cloning_on(maud, next(iter(setting.rookery.channels.values())))


async def show_in_browser(url: str) -> bool:
    """Open ``url`` in a browser with windows, and return whether there is one.

    A browser that would take over the terminal is none: the tour runs there.
    """
    return await asyncio.to_thread(_show, url)


def _show(url: str) -> bool:
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    if type(browser) is webbrowser.GenericBrowser:  # w3m, lynx and their like
        return False
    return browser.open(url)
