"""Erasure: everything that the bot keeps is deleted, first in Discord and then here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import aiohttp
import discord

from bot.check import logged_in
from bot.data_folder import DataFolder
from bot.delivery.reference_uploads import ReferencePosts
from bot.errors import DataFolderError, LibraryError
from bot.library.database import Database
from bot.library.moving import check_unused, holdings, remove_tables
from bot.library.recording_folder import RECORDING_FOLDER
from bot.library.recordings import Recordings
from bot.library.withdrawal import Post, RecordingPosts
from bot.settings import Settings
from bot.start import obstacle_of

PACE_SECONDS: Final = 1.0
"""Between two messages: Discord lets a bot delete about so many, whatever their channel is."""

_MOST_NAMED: Final = 20
_KEPT_BY_OTHERS: Final = (
    "What Discord, the voice service and your own backups still have is theirs and yours to delete. "
    "To end the bot itself, delete its application at https://discord.com/developers/applications."
)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What there is to delete: ``what`` in words, and whether messages in Discord are among it."""

    what: str
    posts: int

    def __str__(self) -> str:
        many = f", and {self.posts} messages in Discord in which somebody is heard" if self.posts else ""
        return f"{self.what}{many}"


async def delete_everything(
    settings: Settings,
    confirm: Callable[[Holdings], Awaitable[bool]],
    *,
    leaves_posts: bool = False,
    connector: aiohttp.BaseConnector | None = None,
    pace: float = PACE_SECONDS,
) -> str:
    """Delete all voices, consents, settings, recordings and messages with them; return what was done.

    ``confirm`` is asked first, with what there is. No bot may run with these ``settings``. Raises
    `LibraryError` and `DataFolderError` with a sentence for the operator: nothing here is deleted while
    messages are left, unless ``leaves_posts``; those that are gone stay gone, and it can be done again.
    """
    with DataFolder(settings) as folder:
        async with await Database.open(settings.database_address, settings.data_dir) as database:
            await check_unused(database)
            posts = RecordingPosts(database)
            there = Holdings(await holdings(database, settings.data_dir), len(await posts.everywhere()))
            if not await confirm(there):
                return "Nothing was deleted."
            if not leaves_posts:
                await _delete_posts(settings, database, connector, pace)
        if not database.is_sqlite:
            await remove_tables(settings.database_address, settings.data_dir)
        strangers = await asyncio.to_thread(folder.wipe)
    left = f" {settings.data_dir} still holds what isn't the bot's: {_few(strangers)}." if strangers else ""
    return f"Deleted {there}.{left} {_KEPT_BY_OTHERS}"


async def _delete_posts(
    settings: Settings, database: Database, connector: aiohttp.BaseConnector | None, pace: float
) -> None:
    """Delete every message in which somebody is heard. Raises `LibraryError` if any is left."""
    posts = RecordingPosts(database)
    unsearched = await posts.channels_to_search(None)
    if unsearched:
        raise LibraryError(
            f"An earlier version may have left recordings in {len(unsearched)} channels that the bot has not "
            "looked through yet. Let it run for an hour first, or type it again with --leave-posts. Nothing "
            "was deleted."
        )
    wanted = await posts.withdraw_all()
    if not wanted:
        return
    if settings.discord_token is None:
        raise LibraryError(
            f"{len(wanted)} messages in Discord are to be deleted, and DISCORD_TOKEN is not set. Set it, or "
            "type it again with --leave-posts. Nothing was deleted."
        )
    try:
        async with logged_in(settings, connector) as client:
            await _delete_in_discord(client, settings, database, wanted, pace)
    except (LibraryError, DataFolderError):
        raise
    except Exception as error:  # whatever keeps it from logging in
        what = obstacle_of(error, settings.proxy).sentence
        raise LibraryError(f"{what} Nothing here was deleted; try again later.") from error
    left = await posts.withdraw_all()
    if left:
        places = [f"https://discord.com/channels/@me/{post.channel_id}/{post.message_id}" for post in left]
        raise LibraryError(
            f"{len(left)} messages could not be deleted: {_few(places)}. Nothing here was deleted. Let the "
            "bot see their channels or delete them by hand, then type it again; with --leave-posts they stay."
        )


async def _delete_in_discord(
    client: discord.Client, settings: Settings, database: Database, wanted: list[Post], pace: float
) -> None:
    recordings = Recordings(database, settings.data_dir / RECORDING_FOLDER)
    deleting = ReferencePosts(
        client,
        RecordingPosts(database),
        recordings,
        place=settings.recording_place,
        storage_channel_id=settings.storage_channel_id,
    )
    for number, post in enumerate(wanted):
        await asyncio.sleep(pace if number else 0.0)
        await deleting.delete([post])


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"
