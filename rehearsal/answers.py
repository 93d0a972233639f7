"""What a member sees of the bot's answer, from the moment they press Enter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from rehearsal.cdn import Cdn, ShownFile
from rehearsal.events import Changes
from rehearsal.records import Message
from rehearsal.rules.components import walk
from rehearsal.screen import ShownModal
from rehearsal.wire import Json

NO_RESPONSE = "The application did not respond"
"""What Discord's app writes when nothing came in time."""


class AnswerState(StrEnum):
    """What stands where the answer will be."""

    WAITING = "waiting"
    THINKING = "thinking"
    REPLIED = "replied"
    MODAL = "modal"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True)
class Shown:
    """One state the member saw. ``after`` is in seconds since they asked."""

    after: float
    state: AnswerState
    content: str = ""
    buttons: tuple[str, ...] = ()
    embeds: tuple[str, ...] = ()


class Answer:
    """One answer, growing. ``failure`` is the sentence of Discord's app when the bot has failed."""

    def __init__(self, cdn: Cdn) -> None:
        self._cdn = cdn
        self._started = asyncio.get_running_loop().time()
        self.changes = Changes()
        self.state = AnswerState.WAITING
        self.acknowledged_after: float | None = None
        self.failure: str | None = None
        self.message: Message | None = None
        self.modal: ShownModal | None = None
        self.followups: list[Message] = []
        self.choices: list[tuple[str, str | int | float]] | None = None
        self.history: list[Shown] = []

    # -- what the member sees ---------------------------------------------------------------------

    @property
    def content(self) -> str:
        """Return the text."""
        return self.message.content if self.message else ""

    @property
    def ephemeral(self) -> bool:
        """Return whether only this member sees it."""
        return self.message is not None and self.message.ephemeral

    @property
    def embeds(self) -> list[Json]:
        """Return the embeds."""
        return list(self.message.embeds) if self.message else []

    @property
    def components(self) -> list[Json]:
        """Return every component, however deep."""
        return list(walk(self.message.components)) if self.message else []

    @property
    def buttons(self) -> list[str]:
        """Return the labels of the buttons that can be pressed."""
        return self.message.buttons if self.message else []

    @property
    def menus(self) -> dict[str, list[str]]:
        """Return the labels of the choices of each select menu, by its placeholder or custom id."""
        return self.message.menus if self.message else {}

    @property
    def files(self) -> list[ShownFile]:
        """Return the files under it."""
        return shown_files(self.message, self._cdn) if self.message else []

    # -- waiting ----------------------------------------------------------------------------------

    async def until(self, predicate: Callable[[Answer], bool], *, timeout: float = 10) -> Answer:
        """Return this answer as soon as ``predicate`` holds.

        Raises `TimeoutError` after ``timeout`` seconds, with what was seen until then.
        """
        await self.changes.until(
            lambda: predicate(self), timeout=timeout, story=lambda: f"saw {self.history}"
        )
        return self

    async def settled(self, *, timeout: float = 10, quiet: float = 0.3) -> Answer:
        """Return this answer once it is no longer thinking and has not changed for ``quiet`` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        await self.until(lambda answer: answer.state not in _UNFINISHED, timeout=timeout)
        while self.state is not AnswerState.FAILED and await self.changes.next(quiet):
            if loop.time() > deadline:
                raise TimeoutError(f"still changing after {timeout:g} s: saw {self.history}")
        return self

    # -- what Discord does ------------------------------------------------------------------------

    def acknowledge(self) -> None:
        """Note that the bot has answered in time."""
        self.acknowledged_after = self._age()
        self.changes.notify()

    def show(self, message: Message) -> None:
        """Show ``message`` as the answer, now and whenever it changes."""
        if message is not self.message:
            self.message = message
            message.changes.listen(self._refresh)
        self._refresh()

    def show_modal(self, modal: ShownModal) -> None:
        """Open a modal."""
        self.modal = modal
        self._enter(AnswerState.MODAL)

    def show_choices(self, choices: list[tuple[str, str | int | float]]) -> None:
        """Show what autocomplete proposes."""
        self.choices = choices
        self._enter(AnswerState.REPLIED)

    def add_followup(self, message: Message) -> None:
        """Show a further message; where the answer was deleted, it is the answer now."""
        if self.state is AnswerState.DELETED:
            self.show(message)
            return
        self.followups.append(message)
        message.changes.listen(self.changes.notify)
        self.changes.notify()

    def fail(self, sentence: str) -> None:
        """Show Discord's own sentence for a bot that failed."""
        self.failure = sentence
        self._enter(AnswerState.FAILED)

    def _age(self) -> float:
        return asyncio.get_running_loop().time() - self._started

    def _refresh(self) -> None:
        message = self.message
        if message is None or self.state is AnswerState.FAILED:
            return
        if message.deleted:
            self._enter(AnswerState.DELETED)
        else:
            self._enter(AnswerState.THINKING if message.thinking else AnswerState.REPLIED)

    def _enter(self, state: AnswerState) -> None:
        self.state = state
        self.history.append(self._shown())
        self.changes.notify()

    def _shown(self) -> Shown:
        if self.message is None or self.message.deleted:
            return Shown(self._age(), self.state, self.failure or "")
        return Shown(
            after=self._age(),
            state=self.state,
            content=self.failure or self.content,
            buttons=tuple(self.buttons),
            embeds=tuple(str(embed.get("description") or embed.get("title")) for embed in self.embeds),
        )


_UNFINISHED = (AnswerState.WAITING, AnswerState.THINKING)


def shown_files(message: Message, cdn: Cdn) -> list[ShownFile]:
    """Return the files under ``message``, with fresh addresses."""
    return [
        ShownFile(
            name=file.name,
            data=file.data,
            content_type=file.content_type,
            url=cdn.url(file),
            seconds=file.seconds,
            waveform=file.waveform,
            fetch=cdn.fetch,
        )
        for file in message.files
    ]
