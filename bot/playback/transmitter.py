"""Transmitter: what one voice connection sends every 20 ms, and when it falls silent."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import discord
from discord.enums import SpeakingState
from discord.voice_state import ConnectionFlowState

from bot.playback.packets import PacketWriter
from bot.playback.queue import SILENCE
from bot.playback.scheduler import FrameScheduler

log = logging.getLogger(__name__)

After = Callable[[Exception | None], Any]


class ActiveSource:
    """One source on its way. ``after`` is called once, in the scheduler's thread, and must not wait."""

    def __init__(self, source: discord.AudioSource, after: After | None) -> None:
        self.source = source
        self.paused = False
        self.over = False
        self._is_ended = False
        self._after = after

    @property
    def is_active(self) -> bool:
        """Return whether its frames are to be sent now."""
        return not self.paused and not self.over

    def end(self, error: Exception | None) -> None:
        """Call ``after``; only the first end counts."""
        if self._is_ended:
            return
        self.over = self._is_ended = True
        if self._after is None and error is not None:
            log.error("playing failed", exc_info=error)
        try:
            if self._after is not None:
                self._after(error)
        except Exception:
            log.exception("the end of playing could not be told")
        self.source.cleanup()


CLOSING_FRAMES: Final = 5
"""Frames of silence after speech: without them a listener's decoder invents a continuation (Discord's
voice documentation, "Voice Data Interpolation")."""

_CONNECTED: Final = ConnectionFlowState.connected


class Transmitter:
    """Sends what one voice client plays, on the scheduler's beat.

    `play`, `stop`, `pause` and `resume` belong to the event loop, `tick` and `fail` to the scheduler's
    thread. ``heard_again`` is awaited when the connection was lost, or has other keys than before: its
    result is whether to go on. Meanwhile nothing is taken from the source.
    """

    def __init__(
        self,
        client: discord.VoiceClient,
        scheduler: FrameScheduler,
        *,
        heard_again: Callable[[], Awaitable[bool]],
    ) -> None:
        self._client = client
        self._state = client._connection
        self._scheduler = scheduler
        self._heard_again = heard_again
        self._writer = PacketWriter(client)
        self._playing: ActiveSource | None = None
        self._current: ActiveSource  # of the scheduler's thread: what it takes frames from
        self._news = True  # whether anything but the next frame may be due
        self._stopped: deque[ActiveSource] = deque()
        self._silence_left = 0
        self._key: object = None  # of the connection that we know to be heard
        self._encrypting = False
        self._waiting: asyncio.Task[bool] | None = None
        self._is_waiting = False
        self._is_lost = False
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def playing(self) -> ActiveSource | None:
        """What is being played, paused or not; None when there is nothing."""
        playing = self._playing
        return None if playing is None or playing.over else playing

    def play(self, source: discord.AudioSource, after: After | None) -> None:
        """Send ``source`` from now on, in place of what was played."""
        self.stop()
        self._is_lost = False
        self._note_connection()
        self._playing = ActiveSource(source, after)
        self._news = True
        self._begin(self._start_speaking())

    def stop(self) -> None:
        """End what is played; its ``after`` is called within 20 ms."""
        playing, self._playing = self._playing, None
        if playing is None or playing.over:
            return
        playing.over = True
        self._stopped.append(playing)
        self._news = True
        if self._waiting is not None:
            self._waiting.cancel()
        self._scheduler.add(self)

    def pause(self) -> None:
        """Send nothing of it until `resume`."""
        playing = self.playing
        if playing is not None:
            playing.paused = True
            self._news = True

    def resume(self) -> None:
        """Go on where it was paused."""
        playing = self.playing
        if playing is not None and playing.paused:
            playing.paused = False
            self._begin(self._start_speaking())

    def tick(self) -> bool:
        """Send the 20 ms that are due; return False when nothing is due until something changes.

        Most calls send the next frame over a connection that is as it was: they look at nothing twice.
        """
        if self._news and not self._take_in_news():
            return self._fall_silent()
        state = self._state
        session = state.dave_session
        if session is not None and not (state.dave_protocol_version and session.ready):
            session = None
        if state.secret_key is not self._key or state._state is not _CONNECTED:
            return self._wait_until_heard()
        if (session is None) is self._encrypting:
            self._encrypting = session is not None
            if session is None and state.dave_protocol_version:
                return self._wait_until_heard()
        try:
            frame = self._current.source.read()
            if frame:
                self._writer.send(frame, session)
                return True
        except Exception as error:  # whatever it is, it ends this source and no other
            self._current.end(error)
        else:
            self._current.end(None)
        self._news = True
        return self._fall_silent()

    def fail(self, error: Exception) -> None:
        """End what is played with ``error``."""
        self._news = True
        self._silence_left = 0
        while self._stopped:
            self._stopped.popleft().end(None)
        if self._playing is not None and not self._playing.over:
            self._playing.end(error)
        self._in_loop(self._stop_speaking)

    def _take_in_news(self) -> bool:
        """Tell those that were stopped that they are over; return whether there is a frame to send."""
        self._news = False  # first: what changes from here on is news again
        while self._stopped:
            self._stopped.popleft().end(None)
        playing = self._playing
        if playing is not None and self._is_lost and not self._is_waiting:
            playing.end(None)
        if playing is None or not playing.is_active or self._is_waiting:
            self._news = True
            return False
        self._current = playing
        self._silence_left = CLOSING_FRAMES
        return True

    def _note_connection(self) -> None:
        state = self._state
        self._key, self._encrypting = state.secret_key, state.can_encrypt

    def _fall_silent(self) -> bool:
        if self._is_waiting:
            return False
        if self._silence_left and self._client.is_connected():
            self._silence_left -= 1
            self._writer.send(SILENCE, None)  # nobody encrypts silence end to end
            if self._silence_left:
                return True
        self._silence_left = 0
        self._in_loop(self._stop_speaking)
        return False

    def _wait_until_heard(self) -> bool:
        self._news = self._is_waiting = True
        if not self._in_loop(self._begin_waiting):
            self._is_waiting = False
            self._current.end(None)
        return False

    # In the event loop:

    def _begin_waiting(self) -> None:
        if self.playing is None:
            self._is_waiting = False
            self._scheduler.add(self)
        else:
            self._waiting = self._begin(self._speak_again())
            self._waiting.add_done_callback(self._waited)

    async def _speak_again(self) -> bool:
        if not await self._heard_again():
            return False
        self._note_connection()
        await self._speak(SpeakingState.voice)
        return True

    def _waited(self, waiting: asyncio.Task[bool]) -> None:
        self._waiting = None
        if not waiting.cancelled():
            self._is_lost = waiting.exception() is not None or not waiting.result()
        self._is_waiting = False
        self._scheduler.add(self)

    async def _start_speaking(self) -> bool:
        await self._speak(SpeakingState.voice)
        self._scheduler.add(self)
        return True

    def _stop_speaking(self) -> None:
        playing = self._playing
        if not self._client.is_connected():  # nobody hears the flag, and at the end no task would run
            return
        if playing is None or not playing.is_active:
            self._begin(self._speak(SpeakingState.none))

    async def _speak(self, speaking: SpeakingState) -> bool:
        try:
            await self._client.ws.speak(speaking)
        except Exception as error:  # the websocket is closing, or there is none yet: another flag will follow
            log.debug("the speaking flag was not sent: %r", error)
            return False
        return True

    def _begin(self, coroutine: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        task = self._client.loop.create_task(coroutine, name=f"speaking-{self._client.guild.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _in_loop(self, callback: Callable[[], None]) -> bool:
        """Have ``callback`` called in the event loop; return False when that is closed."""
        try:
            self._client.loop.call_soon_threadsafe(callback)
        except RuntimeError:
            return False
        return True
