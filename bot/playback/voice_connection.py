"""Voice connection: discord.py's state, websocket and IP discovery, with the faults of 2.7.1 cured."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, Self

import davey
import discord
from discord.gateway import DiscordVoiceWebSocket, VoiceKeepAliveHandler
from discord.types.voice import GuildVoiceState
from discord.voice_state import ConnectionFlowState, SocketReader, VoiceConnectionState

from bot import metrics
from bot.errors import PlaybackError, PlaybackLimitedError

log = logging.getLogger(__name__)

ANSWER_BYTES: Final = 74
ANSWER_TYPE: Final = b"\x00\x02"
"""An IP discovery answer is 74 bytes and begins with its type, 2 (Discord's voice documentation)."""


class DiscoveryReader(SocketReader):
    """Hands the next IP discovery answer to whoever registered for it.

    The library's thread sits in `select` on the old socket for up to 30 s after a reconnect or move,
    and spins without reading when the socket's number is 1024 or more. A bot that does not listen reads one
    datagram per connection: the event loop does that without a thread.
    """

    def __init__(self, state: VoiceConnectionState) -> None:
        super().__init__(state)  # a Thread only because the library's is
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start nothing: the event loop reads."""

    def register(self, callback: Callable[[bytes], object]) -> None:
        """Give ``callback`` the next answer that arrives on the connection's socket."""
        self._callbacks.append(callback)
        self.resume()

    def unregister(self, callback: Callable[[bytes], object]) -> None:
        """Forget ``callback``."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)
        if not self._callbacks:
            self.pause()

    def pause(self) -> None:
        """Stop reading: the socket is about to be closed."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def resume(self, *, force: bool = False) -> None:
        """Read, if somebody waits for an answer."""
        if self._callbacks and (self._task is None or self._task.done()):
            self._task = self.state.voice_client.loop.create_task(self._read(), name="voice-discovery")

    def stop(self) -> None:
        """Stop for good."""
        self.pause()
        self._callbacks.clear()

    async def _read(self) -> None:
        loop = self.state.voice_client.loop
        while self._callbacks:
            try:
                datagram = await loop.sock_recv(self.state.socket, 2048)
            except OSError as error:
                log.debug("IP discovery: %s", error)
                return
            if len(datagram) == ANSWER_BYTES and datagram.startswith(ANSWER_TYPE):
                # Each is called once: a repeated answer would resolve the library's future twice.
                waiting, self._callbacks = self._callbacks, []
                for callback in waiting:
                    callback(datagram)


SERVER_CRASHED: Final = 4015
SESSION_NO_LONGER_VALID: Final = 4006
"""Close codes of the voice websocket (Discord's documentation, "Voice Close Event Codes")."""

_SILENT_SECONDS: Final = 60.0  # without an answer to a heartbeat, as in the library


class Heartbeats(VoiceKeepAliveHandler):
    """Sends the heartbeats of one voice websocket, and closes it when they are not answered any more.

    The library has a thread for it in each connection, and a container that allows 128 threads is full with a
    hundred. Sending needs the event loop anyway: here it is a task of that loop.
    """

    ws: SpeechVoiceWebSocket
    interval: float
    late_seconds = 10.0  # from here on a heartbeat that waits is in the log, as in the library

    def __init__(self, websocket: SpeechVoiceWebSocket, *, replaced: VoiceKeepAliveHandler) -> None:
        super().__init__(ws=websocket, interval=replaced.interval)  # a Thread only because the library's is
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False

    def start(self) -> None:
        """Send one after each interval from now on."""
        self._task = self.ws.loop.create_task(self._run_in_loop(), name="voice-heartbeats")

    def stop(self) -> None:
        """Send no more."""
        # Whoever closes the websocket stops us; when it is us, we would be cut short.
        if self._task is not None and not self._is_closing:
            self._task.cancel()

    async def _run_in_loop(self) -> None:
        guild_id = self.ws._connection.guild.id
        try:
            while True:
                due = time.perf_counter() + self.interval
                await asyncio.sleep(self.interval)
                if self._last_recv + self.heartbeat_timeout < time.perf_counter():
                    log.warning("the voice server of guild %s answers no heartbeat: closing", guild_id)
                    self._is_closing = True
                    await self.ws.close(4000)
                    return
                await self.ws.send_heartbeat(self.beat())
                late = time.perf_counter() - due
                if late > self.late_seconds:
                    log.warning("a voice heartbeat of guild %s was %.1f s late", guild_id, late)
        except Exception as error:  # the websocket is closed or broken, which its polling sees as well
            log.debug("voice heartbeats of guild %s end: %r", guild_id, error)


def _nobody(*_news: object) -> None:
    """Listen to nothing."""


class SpeechVoiceWebSocket(DiscordVoiceWebSocket):
    """The library's voice websocket that heeds a later upgrade and outlives a crash.

    It calls ``on_message`` after every message and ``on_closed`` when no more will come, with the close code
    if there was one.
    """

    on_message: Callable[[], None] = staticmethod(_nobody)
    on_closed: Callable[[int | None], None] = staticmethod(_nobody)
    _heartbeats: Heartbeats | None = None

    @property
    def _keep_alive(self) -> Heartbeats | None:
        return self._heartbeats

    @_keep_alive.setter
    def _keep_alive(self, librarys: VoiceKeepAliveHandler | None) -> None:
        # Said hello to, the library makes a thread and then starts what it finds here.
        self._stop_heartbeats()
        self._heartbeats = None if librarys is None else Heartbeats(self, replaced=librarys)

    def _stop_heartbeats(self) -> None:
        if self._heartbeats is not None:
            self._heartbeats.stop()

    @classmethod
    async def from_connection_state(
        cls,
        state: VoiceConnectionState,
        *,
        resume: bool = False,
        hook: Callable[..., Coroutine[Any, Any, Any]] | None = None,
        seq_ack: int = -1,
    ) -> Self:
        """Return a websocket that has asked for a session, or for the one before with ``resume``.

        The library's offers to compress, which takes a quarter of a megabyte for a message of 50 bytes in 14
        seconds. Ours does not, and takes a tenth of the memory.
        """
        client = state.voice_client
        socket = await client.client.http.ws_connect(f"wss://{state.endpoint}/?v=8")
        websocket = cls(socket, loop=client.loop, hook=hook)
        websocket.seq_ack = seq_ack
        websocket._connection = state
        websocket._max_heartbeat_timeout = _SILENT_SECONDS
        websocket.thread_id = threading.get_ident()
        await (websocket.resume() if resume else websocket.identify())
        return websocket

    async def poll_event(self) -> None:
        """Handle the next message. Raises `discord.ConnectionClosed`, or `TimeoutError` if none comes."""
        try:
            await super().poll_event()
        except discord.ConnectionClosed as error:
            self._end(error.code)
            # The library's resume waits for updates that a crashed server never brings. A full
            # reconnect asks for them.
            if error.code == SERVER_CRASHED:
                error.code = SESSION_NO_LONGER_VALID
            raise
        except TimeoutError:
            self._end(None)
            raise
        except ConnectionError as error:
            self._end(None)
            # An answer met a socket that was just closed; for the library this is not a lost connection.
            raise discord.ConnectionClosed(self.ws, shard_id=None, code=self._close_code) from error

    def _end(self, code: int | None) -> None:
        self._stop_heartbeats()  # not only when it is closed, which may be after a wait
        metrics.voice_closed(code)
        self.on_closed(code)

    async def received_message(self, msg: dict[str, Any]) -> None:
        """Handle a JSON message."""
        await super().received_message(msg)
        state = self._connection
        if msg["op"] == self.SESSION_DESCRIPTION and state.dave_session is None:
            # Without a session the library ignores every message of a later upgrade from version 0,
            # and speaks in clear into an encrypted call for the rest of the connection.
            state.dave_session = davey.DaveSession(
                davey.DAVE_PROTOCOL_VERSION, state.user.id, state.voice_client.channel.id
            )
        self.on_message()

    async def received_binary_message(self, msg: bytes) -> None:
        """Handle a message of the encryption's key exchange."""
        try:
            await super().received_binary_message(msg)
        except ValueError as error:
            # The library guards commits and welcomes, but not proposals or the external sender: its polling
            # would end, and leave a connection that only looks alive. If it matters, the next commit fails,
            # and from that the library recovers.
            log.warning("voice encryption message %d was refused: %s", msg[2], error)
        self.on_message()


LEAVE_SECONDS: Final = 5.0
"""How long we wait for Discord to confirm that we left; it normally takes a round trip."""

DAVE_REQUIRED: Final = 4017
RATE_LIMITED: Final = 4021
"""Close codes after which trying again cannot help (Discord's "Voice Close Event Codes")."""


def _note_end(connector: asyncio.Task[None]) -> None:
    """Take in how a task that connects ended; where nobody waits for it the client has ended with it."""
    if not connector.cancelled():
        connector.exception()


class SpeechConnectionState(VoiceConnectionState):
    """The library's connection state, cured, and with something to wait on.

    ``removed`` is called when we were taken out of voice by somebody else, before anything is closed.
    ``was_removed`` says afterwards that this is so; ``is_limited`` that Discord limits our connections.
    """

    def __init__(self, voice_client: discord.VoiceClient, *, removed: Callable[[], None]) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        super().__init__(voice_client)
        self.self_deaf = True  # what the library falls back to when it reconnects
        self._tell_removed = removed
        self._has_left = False
        self.was_removed = False
        self.is_limited = False

    @property
    def _socket_reader(self) -> SocketReader:
        return self._reader

    @_socket_reader.setter
    def _socket_reader(self, _librarys: SocketReader) -> None:
        # The library makes a thread and then starts what it finds here.
        self._reader = DiscoveryReader(self)

    def _removed(self) -> None:
        self.was_removed = True
        self._tell_removed()

    @property
    def state(self) -> ConnectionFlowState:
        """How far the connection has come."""
        return self._state

    @state.setter
    def state(self, state: ConnectionFlowState) -> None:
        VoiceConnectionState.state.fset(self, state)  # type: ignore[attr-defined]
        self.wake()

    def wake(self) -> None:
        """Let everybody in `wait_for` look again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``predicate`` holds, ``timeout`` seconds at most; return whether it does."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not predicate():
            remaining = deadline - loop.time()
            if remaining <= 0:
                return False
            future: asyncio.Future[None] = loop.create_future()
            self._waiting.add(future)
            try:
                await asyncio.wait({future}, timeout=remaining)
            finally:
                self._waiting.discard(future)
        return True

    # News that arrive while we connect (another server, another channel) make the library begin anew: it
    # leaves two tasks to close each other's sockets, and gives whoever waits a CancelledError nobody sent.

    async def connect(self, *, timeout: float, wait: bool = True, **options: Any) -> None:
        """Connect within ``timeout`` seconds; news on the way begin that time once more.

        Raises `TimeoutError`, `PlaybackError`, and what the library raises.
        """
        await self._end_connector()
        await super().connect(timeout=timeout, wait=False, **options)
        if self._connector is not None:
            self._connector.add_done_callback(_note_end)
        self.wake()
        if wait:
            await self._connected_by_the_last(timeout)

    async def _connected_by_the_last(self, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        deadline, last = loop.time() + timeout, None
        while (connector := self._connector) not in (None, last) and loop.time() < deadline:
            last = connector
            try:
                await asyncio.wait({connector})
                if not connector.cancelled():
                    connector.result()
                    return
                await self.wait_for(partial(self._is_replaced, connector), deadline - loop.time())
            except asyncio.CancelledError:
                await self._end_connector()
                raise
        raise TimeoutError

    def _is_replaced(self, connector: asyncio.Task[None]) -> bool:
        return self._connector is not connector or self._has_left

    async def _end_connector(self) -> None:
        connector, state = self._connector, self.state
        if connector is not None and not connector.done() and connector is not asyncio.current_task():
            connector.cancel()
            await asyncio.wait({connector})
            self.state = state

    async def soft_disconnect(
        self, *, with_state: ConnectionFlowState = ConnectionFlowState.got_both_voice_updates
    ) -> None:
        """Close everything, to begin anew from ``with_state``."""
        await self._end_connector()
        await super().soft_disconnect(with_state=with_state)

    async def voice_state_update(self, data: GuildVoiceState) -> None:
        """Take in that our own voice state changed."""
        channel_id = data["channel_id"]
        if channel_id is None:
            if not self._expecting_disconnect:
                self._removed()
        elif not self._enter(int(channel_id)):
            # The library would set the channel to None and be dead from then on, without a log line.
            log.warning("moved into a channel that I do not know (guild %s); leaving voice", self.guild.id)
            self._removed()
            await self.disconnect()
            return
        await super().voice_state_update(data)

    def _enter(self, channel_id: int) -> bool:
        channel = self.guild.get_channel(channel_id)
        if not isinstance(channel, discord.VoiceChannel | discord.StageChannel):
            return False
        # Here for every state: the library forgets it when the server update came first.
        self.voice_client.channel = channel
        return True

    async def disconnect(self, *, force: bool = True, cleanup: bool = True, wait: bool = False) -> None:
        """Leave, or with ``cleanup`` false close everything before a reconnect."""
        if asyncio.current_task() is self._connector and self.self_voice_state is not None:
            # A failed connect does not wait until Discord has seen us leave; the news would then reach the
            # next client of this guild, which would take it for a kick.
            wait, self.timeout = True, LEAVE_SECONDS
        try:
            wait = wait and not self._is_forgotten()
            await super().disconnect(force=force, cleanup=cleanup, wait=wait)
        finally:
            self._has_left = self._has_left or cleanup

    def _is_forgotten(self) -> bool:
        """Whether our main session is a new one, and Discord knows nothing of this connection any more."""
        guild = self.voice_client.client.get_guild(self.guild.id)
        return guild is not None and guild is not self.guild and guild.me.voice is None

    # A reconnect or move that was under way when we left goes on behind our back. Whatever it does from then
    # on must not reach Discord: it would take the next client of this guild out of voice, or us back in.

    async def _voice_disconnect(self) -> None:
        if self._has_left:
            self.state = ConnectionFlowState.disconnected
            return
        try:
            await super()._voice_disconnect()
        except OSError as error:  # the main connection is away; the library would leave our websocket open
            log.debug("leaving was not asked for: %r", error)
            self._expecting_disconnect = True
            self._disconnected.clear()

    async def _voice_connect(self, *, self_deaf: bool = False, self_mute: bool = False) -> None:
        if self._has_left:
            raise PlaybackError("left while reconnecting")
        await super()._voice_connect(self_deaf=self_deaf, self_mute=self_mute)

    def _update_voice_channel(self, channel_id: int | None) -> None:
        if channel_id is not None:
            self._enter(channel_id)

    async def _move_to(self, channel: discord.abc.Snowflake) -> None:
        # The library asks for the move without the flags, and we would no longer be deafened.
        await self.guild.change_voice_state(channel=channel, self_deaf=True, self_mute=self.self_mute)
        self.state = ConnectionFlowState.set_guild_voice_state

    def _create_socket(self) -> None:
        if self.socket:  # a move makes a new one and leaves the old one open
            self._socket_reader.pause()
            self.socket.close()
        super()._create_socket()

    async def _connect_websocket(self, resume: bool) -> SpeechVoiceWebSocket:
        seq_ack = self.ws.seq_ack if self.ws else -1
        websocket = await SpeechVoiceWebSocket.from_connection_state(self, resume=resume, seq_ack=seq_ack)
        if self._has_left:
            await websocket.close()
            raise discord.ConnectionClosed(websocket.ws, shard_id=None, code=1000)
        websocket.on_message = self.wake
        websocket.on_closed = self._cut_off
        self.state = ConnectionFlowState.websocket_connected
        return websocket

    def _cut_off(self, code: int | None) -> None:
        self.is_limited = self.is_limited or code == RATE_LIMITED
        # The library says that it is connected until it has slept and reconnects, or until a new server is
        # named, and plays into nothing meanwhile. In this state it takes either way to a new server.
        if self.state is ConnectionFlowState.connected:
            self.state = ConnectionFlowState.set_guild_voice_state

    async def _handshake_websocket(self) -> None:
        try:
            await super()._handshake_websocket()
        except discord.ConnectionClosed as error:
            if error.code == RATE_LIMITED:
                self.is_limited = True
                raise PlaybackLimitedError("Discord limits our voice connections (4021)") from error
            if error.code == DAVE_REQUIRED:
                raise PlaybackError(
                    "end-to-end encryption is required (4017): davey is missing or too old; "
                    "install requirements.txt"
                ) from error
            raise
        # Both are left over from a reconnect, and would turn the next move into a kick, or hide a kick.
        self._disconnected.clear()
        self._expecting_disconnect = False

    async def _connect(self, *args: Any, **options: Any) -> None:
        try:
            await super()._connect(*args, **options)
        except TimeoutError as error:
            if self._inside_runner():  # five tries were made; the library would begin again, for ever
                raise PlaybackError(f"not connected again within {self.timeout:g} s") from error
            raise

    async def _potential_reconnect(self) -> bool:
        if self.guild.get_channel(self.voice_client.channel.id) is None:
            return False  # the channel was deleted: no server will be named
        try:
            # The library sets no limit to the handshake with the new server.
            async with asyncio.timeout(self.timeout):
                return await super()._potential_reconnect()
        except TimeoutError:
            return False

    async def _poll_voice_ws(self, reconnect: bool) -> None:
        try:
            await super()._poll_voice_ws(reconnect)
        except PlaybackError as error:
            log.warning("voice connection in guild %s: %s", self.guild.id, error)
            await self._give_up()
        except Exception as error:  # whatever ends the polling ends the connection, instead of feigning life
            log.exception("voice connection in guild %s failed: %s", self.guild.id, error)
            await self._give_up()

    async def _give_up(self) -> None:
        client = self.voice_client
        # Not judged by the state: between two tries it says "disconnected", and nothing is cleaned up yet.
        if client.client._connection._get_voice_client(self.guild.id) is client:
            await self.disconnect()
