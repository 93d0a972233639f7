"""Reply to one interaction: acknowledged at once, edited while it is made, and final exactly once."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto
from functools import partial
from itertools import count
from typing import Any, Final, TypeVar

import discord
from discord.utils import DEFAULT_FILE_SIZE_LIMIT_BYTES

from bot.delivery.offer import MAX_WORDS, PASSING, Offer, Upload, Uploadable, brief, is_passing, message_of
from bot.models import HasProgress, Progress, Stage

__all__ = ["Acknowledgement", "Reply", "Upload"]

log = logging.getLogger(__name__)

TOKEN_SECONDS: Final = 15 * 60.0
"""How long Discord lets a bot reply to an interaction (its documentation of interaction tokens)."""

_NOTICE_SECONDS: Final = 60.0
"""This long before the token ends the member is told that the reply will come as a message."""

_PROGRESS_AFTER_SECONDS: Final = 2.0
"""Progress is shown from this long after the acknowledgement on: before, "is thinking" says enough."""

_EDIT_SECONDS: Final = 1.5
"""Progress is shown this often; every edit counts against the rate limit of the reply."""

_PROGRESS_SECONDS: Final = 30.0
"""The longest that one of these edits is waited for; the final one has to come after it."""

_TRY_SECONDS: Final = 120.0
"""The longest that one try may take, the upload included."""

_PAUSE_SECONDS: Final = 1.0
_MAX_PAUSE_SECONDS: Final = 30.0
"""Between two tries, growing from the first to the second."""

_POST_SECONDS: Final = 60.0
"""How long a message of our own is tried; Discord remembers a nonce for a few minutes."""

_TRIES: Final = 3
"""For what is not worth more; and after so many broken connections it is tried without the file."""

_LOOKED_UP: Final = 50
"""Messages of a channel among which one that nobody has confirmed is searched."""

_GONE: Final = (10008, 10015, 10062, 50027)
"""Discord's codes for a reply that can no longer be edited: message, webhook, interaction, token."""

_CLOSED: Final = (10003, 50001, 50007, 50278)
"""Discord's codes for a place where the bot cannot post at all: unknown, unseen, or closed to it."""

_ACKNOWLEDGED_BEFORE: Final = 40060
"""Discord's code for a first response that came twice."""

_FIRST_PAUSES: Final = (0.0, 0.2, 0.4, 0.8)
"""Seconds between the tries of a first response, which Discord takes for 3 s."""

_UNTOLD: Final = "That didn't work, and I couldn't tell you why in private. Try again in a minute."

UNREACHABLE = (discord.HTTPException, *PASSING)
"""What Discord, or the way to it, raises where something cannot be told."""

_Send = Callable[..., Awaitable[discord.Message | None]]
T = TypeVar("T")


class Acknowledgement(Enum):
    """Acknowledgement of an interaction, within 3 s of its creation and before anything is awaited."""

    PUBLIC = auto()
    """Everybody sees that the bot is thinking."""

    EPHEMERAL = auto()
    """Only the member sees that, and the reply."""

    UPDATE = auto()
    """The message whose button or menu was used stays as it is, until it is edited."""

    IMMEDIATE = auto()
    """Not at all: the handler responds at once, from memory, with a form or with words."""


class Reply:
    """Reply to one interaction; `of` returns the same one for the same interaction."""

    def __init__(
        self,
        interaction: discord.Interaction,
        *,
        token_seconds: float = TOKEN_SECONDS,
        progress_after_seconds: float = _PROGRESS_AFTER_SECONDS,
        edit_seconds: float = _EDIT_SECONDS,
        pause_seconds: float = _PAUSE_SECONDS,
        post_seconds: float = _POST_SECONDS,
    ) -> None:
        self._interaction = interaction
        self._progress_after_seconds = progress_after_seconds
        self._progress_from = _now() + progress_after_seconds
        self._edit_seconds = edit_seconds
        self._pause_seconds = pause_seconds
        self._post_seconds = post_seconds
        self._expires = _now() + token_seconds
        self._acknowledged = False
        self._acknowledgement: Acknowledgement | None = None
        self._aside: discord.Message | None = None
        self._final = False
        self._line = ""
        self._source: HasProgress | None = None
        self._is_due = asyncio.Event()
        self._ended = asyncio.Event()
        self._showing: asyncio.Task[None] | None = None
        self._taken: discord.Message | None = None
        self._words = ""
        self._may_have_file = False
        self.message_id: int | None = None
        """The message that holds it, as soon as Discord has said so."""

    @classmethod
    def of(cls, interaction: discord.Interaction) -> Reply:
        """Return the reply that belongs to ``interaction``."""
        reply = interaction.extras.get(cls)
        if not isinstance(reply, cls):
            reply = interaction.extras[cls] = cls(interaction)
        return reply

    @property
    def is_final(self) -> bool:
        """Whether the reply is finished: Discord has taken it."""
        return self._final

    @property
    def is_open(self) -> bool:
        """Whether Discord shows that it is being made: the bot is thinking, or has said how far it is."""
        is_thinking = self._acknowledgement in (Acknowledgement.PUBLIC, Acknowledgement.EPHEMERAL)
        return self._acknowledged and not self._final and (is_thinking or self._showing is not None)

    @property
    def is_ephemeral(self) -> bool:
        """Whether only the member sees it."""
        return self._acknowledgement is Acknowledgement.EPHEMERAL

    async def acknowledge(self, how: Acknowledgement = Acknowledgement.PUBLIC) -> None:
        """Acknowledge the interaction within Discord's three seconds. A second call does nothing.

        Raises what of `UNREACHABLE` comes twice.
        """
        if self._is_acknowledged or how is Acknowledgement.IMMEDIATE:
            return
        self._acknowledgement = how
        response = self._interaction.response
        if how is Acknowledgement.UPDATE:
            await self.respond(response.defer)
            return
        acknowledged = await self.respond(partial(response.defer, thinking=True, ephemeral=self.is_ephemeral))
        self.message_id = acknowledged.message_id if acknowledged else None

    async def respond(self, first: Callable[[], Awaitable[T]]) -> T | None:
        """Return what ``first`` does, the first response; it is called again if the connection breaks.

        None where Discord had seen an earlier try after all.
        """
        found: T | None = None
        for pause in (*_FIRST_PAUSES, None):
            try:
                found = await first()
                break
            except discord.HTTPException as error:
                if error.code == _ACKNOWLEDGED_BEFORE:
                    break
                if pause is None or not isinstance(error, PASSING):
                    raise
            except PASSING as error:
                if pause is None:
                    raise
                log.info("a first response is given again: %s", type(error).__name__)
            await asyncio.sleep(pause)
        self._acknowledged = True
        self._progress_from = _now() + self._progress_after_seconds
        return found

    def show(self, line: str) -> None:
        """Show ``line`` until there is something newer; returns at once."""
        self._line, self._source = line, None
        self._is_due.set()
        self._begin_showing()

    def show_progress(self, source: HasProgress) -> None:
        """Show how far ``source`` is, asked anew for every edit, until there is a line or the end.

        That begins 2 s after the acknowledgement; what is final by then costs no edit.
        """
        self._source = source
        self._begin_showing()

    async def finish(
        self,
        content: str,
        upload: Uploadable | None = None,
        view: discord.ui.View | None = None,
        *,
        because: str = "",
        quote: str = "",
    ) -> None:
        """Finish the reply, with as much of it as Discord takes.

        While the original response can be edited, that is tried again and again; what is refused goes on
        without the file, and with a sentence why, at last as that sentence alone. Where it cannot be edited
        the bot posts a message of its own, with a file made for that place, and ``view`` only in the channel
        of the interaction. ``because`` says why there is a file at all, as the beginning of a sentence.
        ``quote`` stands above all of it, and AutoMod may refuse it without harm to the rest. Where nothing is
        left but the sentence why, only the member reads it.

        Raises what ``upload`` raises; `discord.HTTPException`, `aiohttp.ClientError` or `OSError` only where
        the interaction was not acknowledged before. What nobody takes is logged, and removed.
        """
        await self._end_showing()
        if not self._is_acknowledged and await self._respond(content):
            self._final = True
            return
        offer = Offer(content, upload, view, because, quote)
        is_edited = await self._edit(offer)
        self._final = is_edited or await self._post(offer) or await self._has_come_through(offer)
        if not self._final:
            await self._remove_original()
            log.error("Discord took nothing of an answer: %s", offer.faults)
        elif offer.faults:
            log.warning("Discord did not take an answer at once: %s", offer.faults)
        is_public = self._acknowledgement is Acknowledgement.PUBLIC
        if is_edited and offer.says_only_why and is_public and content != _UNTOLD:
            await self.fail(offer.words)

    async def say(
        self, content: str, view: discord.ui.View | None = None, *, ephemeral: bool = False
    ) -> None:
        """Finish the reply with the first response: for what is known at once, from memory."""
        buttons: Any = discord.utils.MISSING if view is None else view
        send = self._interaction.response.send_message
        await self.finish_at_once(partial(send, **message_of(content), view=buttons, ephemeral=ephemeral))

    async def finish_at_once(self, first: Callable[[], Awaitable[object]]) -> None:
        """Finish the reply with ``first``, a first response. Raises one of `UNREACHABLE`, as `respond`."""
        await self.respond(first)
        self._final = True

    async def finish_privately(self, content: str, view: discord.ui.View | None = None) -> None:
        """Finish the reply where only the member sees it.

        Where everybody saw that the bot is thinking, that is deleted first. Raises one of `UNREACHABLE` that
        three tries do not cure.
        """
        if not self._is_acknowledged:
            await self.say(content, view, ephemeral=True)
            return
        if self.is_ephemeral:
            await self.finish(content, view=view)
            return
        await self._end_showing()
        if self._acknowledgement is Acknowledgement.PUBLIC:
            with suppress(discord.NotFound):
                await self._interaction.delete_original_response()
        buttons: Any = discord.utils.MISSING if view is None else view
        send = partial(self._interaction.followup.send, view=buttons, ephemeral=True, wait=True)
        said = await _tried_again(send, message_of(content), _PROGRESS_SECONDS, self._pause_seconds / 4)
        if isinstance(said, Exception):
            raise said
        self._aside, self._final = said, True

    async def fail(self, sentence: str) -> None:
        """Finish the reply with ``sentence`` for the member alone.

        Where everybody saw that the bot is thinking and the member cannot be told alone, a few words that
        reveal nothing take its place.
        """
        try:
            await self.finish_privately(sentence)
        except UNREACHABLE as error:
            if self._acknowledgement is not Acknowledgement.PUBLIC:
                raise
            log.warning("a member could not be told alone: %s", error)
            await self.finish(_UNTOLD)

    async def withdraw(self, otherwise: str | None = None) -> None:
        """Remove what `finish_privately` has sent, or let it say ``otherwise``; nothing if it is too late."""
        interaction, aside = self._interaction, self._aside
        with suppress(*UNREACHABLE):
            if otherwise is None:
                await (aside.delete() if aside else interaction.delete_original_response())
            elif aside is not None:
                await aside.edit(content=otherwise, view=None)
            else:
                await interaction.edit_original_response(content=otherwise, view=None)

    async def retract(self, sentence: str) -> None:
        """Delete the finished reply, and say ``sentence`` to the member alone, while that is possible."""
        taken, self._taken = self._taken, None
        gone = taken and await _tried_again(taken.delete, {}, self._post_seconds, self._pause_seconds)
        if taken is None or isinstance(gone, Exception):
            await self._remove_original()
        send = partial(self._interaction.followup.send, ephemeral=True, wait=True)
        if self._seconds_left() > 0:
            await _tried_again(send, message_of(sentence), _PROGRESS_SECONDS, self._pause_seconds / 4)

    async def amend(self, addition: str) -> None:
        """Put a line under the words of the finished reply; nothing happens if it is too late."""
        if self._taken is None:
            return
        words = message_of(f"{self._words}\n{addition}"[:MAX_WORDS])
        await _tried_again(self._taken.edit, words, self._post_seconds, self._pause_seconds)

    @property
    def _is_acknowledged(self) -> bool:
        return self._acknowledged or self._interaction.response.is_done()

    def _seconds_left(self) -> float:
        return self._expires - _now()

    # -- before the end ---------------------------------------------------------------------------

    def _begin_showing(self) -> None:
        if self._showing is None and not self._ended.is_set():
            self._showing = asyncio.create_task(self._show(), name=f"reply-{self._interaction.id}")

    async def _show(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(min(self._progress_from, self._expires - _NOTICE_SECONDS)):
                await self._is_due.wait()
        shown = ""
        while not self._ended.is_set():
            if self._seconds_left() < _NOTICE_SECONDS:
                await self._quiet_edit("This is taking longer than usual. I'll post it here when it's done.")
                return
            line = progress_line(self._source.progress) if self._source else self._line
            if line != shown and _edits.take():
                shown = line
                await self._quiet_edit(shown)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._edit_seconds):
                    await self._ended.wait()

    async def _quiet_edit(self, content: str) -> None:
        edit = self._interaction.edit_original_response
        said = await _tried(edit, {"content": content}, _PROGRESS_SECONDS)
        if isinstance(said, discord.Message):
            self.message_id = said.id
        else:
            log.debug("progress could not be shown: %s", brief(said))

    async def _end_showing(self) -> None:
        # Waited for, not cancelled: an edit that is on its way could otherwise land after the final one.
        self._ended.set()
        self._is_due.set()
        self._source = None
        if self._showing is not None:
            await asyncio.wait([self._showing])

    # -- the end ----------------------------------------------------------------------------------

    async def _respond(self, content: str) -> bool:
        """Return whether it was taken as the first response; False: there was one, so that is edited."""
        respond = partial(self._interaction.response.send_message, ephemeral=True)
        for pause in (*_growing(self._pause_seconds / 4, _TRIES - 1), None):
            try:
                async with asyncio.timeout(_PROGRESS_SECONDS):
                    await respond(**message_of(content))
                return True
            except discord.InteractionResponded:
                return False
            except (discord.HTTPException, *PASSING) as error:
                if isinstance(error, discord.HTTPException) and error.code == _ACKNOWLEDGED_BEFORE:
                    return False
                if pause is None or not is_passing(error):
                    raise
            await asyncio.sleep(pause)
        return False

    async def _edit(self, offer: Offer) -> bool:
        """Return whether the original response was edited into the final one, while the token lives."""
        offer.made_for(self._interaction.filesize_limit, with_view=True)
        edit = partial(self._interaction.edit_original_response)
        if self._may_have_file and not offer.has_file:  # the file of an end that was broken off
            edit = partial(edit, attachments=[])
        self._may_have_file |= offer.has_file
        return await self._send(edit, offer, "attachments", ends=self._expires, closed=_GONE)

    async def _post(self, offer: Offer) -> bool:
        """Return whether the bot has posted it in a message of its own; the original is deleted then."""
        interaction = self._interaction
        here = interaction.channel
        places: list[discord.abc.Messageable] = [interaction.user]
        in_channel = interaction.is_guild_integration() and not self.is_ephemeral
        if in_channel and isinstance(here, discord.abc.Messageable):
            places.insert(0, here)
        for place in places:
            limit = DEFAULT_FILE_SIZE_LIMIT_BYTES
            if place is here and interaction.guild is not None:
                limit = interaction.guild.filesize_limit
            offer.made_for(limit, with_view=place is here or interaction.guild_id is None)
            # Under one nonce Discord makes one message of all tries.
            send = partial(place.send, nonce=secrets.randbits(63))
            ends = _now() + self._post_seconds
            is_given = await self._send(send, offer, "files", ends=ends, closed=_CLOSED)
            if is_given or (offer.is_unclear and await self._is_posted(place, offer)):
                await self._remove_original()
                return True
        return False

    async def _send(
        self, send: _Send, offer: Offer, key: str, *, ends: float, closed: Collection[int]
    ) -> bool:
        """Return whether Discord has taken the offer, or less of it, before ``ends``."""
        pauses, broken = _growing(self._pause_seconds), 0
        while _now() < ends:
            said = await _tried(send, await offer.arguments(key), ends - _now())
            if isinstance(said, discord.Message):
                await self._settle(said, offer, ends)
                return True
            offer.note(said)
            if is_passing(said):
                broken += 1
                if broken >= _TRIES and await self._send_words_first(send, offer, said, ends):
                    return True
                await asyncio.sleep(min(next(pauses), max(0.0, ends - _now())))
            elif _is_over(said, closed) or not offer.lessen(said):
                return False
        return False

    async def _send_words_first(self, send: _Send, offer: Offer, fault: object, ends: float) -> bool:
        """Return whether at least the words came through; then the file gets one more try.

        A file can break where words do not. Or it has arrived, and only the confirmation was lost.
        """
        if not offer.has_file:
            return False
        words = offer.without_file(fault)
        said = await _tried(send, await words.arguments(""), ends - _now())
        if not isinstance(said, discord.Message):
            return False
        await self._settle(said, words, ends)
        if not said.attachments:
            better = await _tried(said.edit, await offer.arguments("attachments"), ends - _now())
            if isinstance(better, discord.Message):
                self._taken, self._words = better, offer.words
        return True

    async def _settle(self, message: discord.Message, offer: Offer, ends: float) -> None:
        """Remember what Discord has taken; a file that arrived after all is not called missing."""
        self._taken, self._words = message, offer.words
        if message.attachments and offer.misses_file:
            words = offer.with_file().words
            better = await _tried(message.edit, message_of(words), ends - _now())
            if isinstance(better, discord.Message):
                self._taken, self._words = better, words

    async def _has_come_through(self, offer: Offer) -> bool:
        """Return whether an edit that seemed to fail was carried out all the same."""
        fetch: _Send = self._interaction.original_response
        if self._seconds_left() <= 0:
            message_id = await self._original_id()
            if message_id is None:
                return False
            fetch = self._own_message(message_id).fetch
        found = await _tried(fetch, {}, _PROGRESS_SECONDS)
        return isinstance(found, discord.Message) and offer.has_said(found)

    async def _is_posted(self, place: discord.abc.Messageable, offer: Offer) -> bool:
        """Return whether a message that nobody has confirmed is in ``place``, as far as can be seen."""
        found = await self._own_messages(place)
        return any(message.interaction_metadata is None and offer.has_said(message) for message in found)

    async def _remove_original(self) -> None:
        """Delete the original response, if that can still be done."""
        if self._acknowledgement in (None, Acknowledgement.UPDATE):  # what was pressed must not be deleted
            return
        if self._seconds_left() > 0:
            fault = await _tried(self._interaction.delete_original_response, {}, self._seconds_left())
            if fault is None:
                return
        message_id = await self._original_id()
        if message_id is not None and not self.is_ephemeral:
            await _tried(self._own_message(message_id).delete, {}, _PROGRESS_SECONDS)

    async def _original_id(self) -> int | None:
        """Return the id of the original response, looked up where nobody has confirmed it."""
        interaction = self._interaction
        if self.message_id is None and isinstance(interaction.channel, discord.abc.Messageable):
            for message in await self._own_messages(interaction.channel):
                about = message.interaction_metadata
                if about is not None and about.id == interaction.id:
                    self.message_id = message.id
        return self.message_id

    async def _own_messages(self, place: discord.abc.Messageable) -> list[discord.Message]:
        """Return what the bot has written in ``place`` since it was asked, as far as it can be seen."""
        since, me = discord.Object(self._interaction.id), self._interaction.client.user
        found = place.history(limit=_LOOKED_UP, after=since, oldest_first=False)
        with suppress(discord.HTTPException, *PASSING):
            async with asyncio.timeout(_PROGRESS_SECONDS):
                return [message async for message in found if message.author == me]
        return []

    def _own_message(self, message_id: int) -> discord.PartialMessage:
        """Return the original response as a message of the bot: so it outlives the token."""
        client, place = self._interaction.client, self._interaction
        channel = client.get_partial_messageable(place.channel_id or 0, guild_id=place.guild_id)
        return channel.get_partial_message(message_id)


def _is_over(fault: object, closed: Collection[int]) -> bool:
    return isinstance(fault, discord.HTTPException) and (fault.status in (401, 404) or fault.code in closed)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _growing(first: float, times: int | None = None) -> Iterator[float]:
    """Return the pauses between tries: each twice the one before."""
    pause = first
    for _ in count() if times is None else range(times):
        yield pause
        pause = min(2 * pause, _MAX_PAUSE_SECONDS)


async def _tried_again(
    send: _Send, arguments: dict[str, Any], seconds: float, pause: float
) -> discord.Message | Exception | None:
    """Return what came of up to three tries, each of at most so many seconds, or the last fault."""
    for wait in _growing(pause, _TRIES - 1):
        said = await _tried(send, arguments, seconds)
        if not is_passing(said):
            return said
        await asyncio.sleep(wait)
    return await _tried(send, arguments, seconds)


async def _tried(
    send: _Send, arguments: dict[str, Any], seconds: float
) -> discord.Message | Exception | None:
    """Return what came of one try of at most so many seconds, or the fault."""
    try:
        async with asyncio.timeout(min(seconds, _TRY_SECONDS)):
            return await send(**arguments)
    except (discord.HTTPException, *PASSING) as error:
        return error
    except Exception as error:  # discord.py raises what it likes at an answer that is not Discord's
        log.warning("a request to Discord failed", exc_info=error)
        return error


_STAGES = {
    Stage.WAITING: "Waiting for the voice service …",
    Stage.FETCHING: "Fetching the speech …",
    Stage.PREPARING: "Preparing the sound …",
}


class _EditPace:
    """Pace of the progress edits of all replies: 20 a second, 10 at once; one left out is shown later.

    Each costs the main thread 2 to 4 ms, and a hundred members who wait would have 70 a second.
    """

    free_at = 0.0

    def take(self) -> bool:
        now, is_free = _now(), self.free_at <= _now()
        if is_free:
            self.free_at = max(self.free_at, now - 0.5) + 1 / 20
        return is_free


_edits: Final = _EditPace()


def progress_line(progress: Progress) -> str:
    """Return what the member reads while their speech is being made."""
    if progress.generation is not None:
        which = progress.generation
        return f"Take {which.made} of {which.of}. {progress_line(replace(progress, generation=None))}"
    if progress.stage is Stage.FETCHING and progress.fraction is not None:
        return f"Fetching the speech, {progress.fraction:.0%} …"
    if progress.stage is not Stage.MAKING:
        return _STAGES[progress.stage]
    words = ["Making the speech"]
    if progress.parts is not None:
        words.append(f"{progress.parts.made} of {progress.parts.of} parts")
    return f"{', '.join(words)} …"
