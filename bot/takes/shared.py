"""One making that several members wait for: each gets all of it, and it ends when nobody waits any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from bot.audio.stream import FrameListener
from bot.errors import SpeechBotError
from bot.models import Progress, ProgressListener, Speech, Stage
from bot.takes.recital import Recited

log = logging.getLogger(__name__)

Maker = Callable[[FrameListener, ProgressListener], Awaitable[Recited]]
"""Makes a speech, and hands on its frames in order and its progress on the way."""


class SharedMaking:
    """Runs ``make`` once, for everyone who follows it. ``ended`` is called when nothing of it runs any more.

    What follows the making, ``afterwards``, holds nobody up.
    """

    def __init__(
        self,
        make: Maker,
        *,
        afterwards: Callable[[Recited, Sequence[bytes]], Awaitable[None]],
        ended: Callable[[SharedMaking], None],
    ) -> None:
        self._frames: list[bytes] = []
        self._progress = Progress(Stage.MAKING)
        self._followers: list[tuple[FrameListener, ProgressListener]] = []
        self._afterwards = afterwards
        self._recited: asyncio.Future[Recited] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(make), name="speech")
        self._task.add_done_callback(lambda _task: ended(self))

    @property
    def is_given_up(self) -> bool:
        """Whether everyone has gone before it was finished."""
        return self._recited.cancelled()

    async def follow(self, hand_on: FrameListener, on_progress: ProgressListener) -> Speech:
        """Return the speech, with all its frames to ``hand_on`` first. Raises what the making raises.

        When the last follower is cancelled the making is cancelled too.
        """
        if self._frames:
            hand_on(list(self._frames))
        on_progress(self._progress)
        follower = (hand_on, on_progress)
        self._followers.append(follower)
        try:
            return (await asyncio.shield(self._recited)).speech
        finally:
            self._followers.remove(follower)
            if not self._followers and not self._recited.done():
                self._recited.cancel()
                self._task.cancel()

    def fail(self, error: SpeechBotError) -> None:
        """End it at once: whoever still waits for it gets ``error``, and nothing follows."""
        if not self._recited.done():
            self._recited.set_exception(error)
        self._task.cancel()

    async def wait_ended(self) -> None:
        """Wait until nothing of it runs any more."""
        await asyncio.wait({self._task})

    async def _run(self, make: Maker) -> None:
        try:
            recited = await make(self._hand_on, self._tell)
        except asyncio.CancelledError:
            self._recited.cancel()
            raise
        except Exception as error:
            if self._followers and not self._recited.done():
                self._recited.set_exception(error)
            elif not isinstance(error, SpeechBotError):
                log.exception("the making of speech failed when nobody waited for it any more")
            return
        if not self._recited.done():
            self._recited.set_result(recited)
        await self._afterwards(recited, self._frames)

    def _hand_on(self, frames: Sequence[bytes]) -> None:
        self._frames += frames
        for hand_on, _ in self._followers:
            hand_on(frames)

    def _tell(self, progress: Progress) -> None:
        self._progress = progress
        for _, on_progress in self._followers:
            on_progress(progress)
