"""The way from the voice server to one voice websocket."""

from __future__ import annotations

import asyncio
import json
import struct

from aiohttp import web

from rehearsal.voice.codes import Opcode

Frame = str | bytes


def json_frame(opcode: Opcode, data: object, sequence: int | None = None) -> str:
    """Return a text frame; ``sequence`` is what the client acknowledges in its heartbeats."""
    frame: dict[str, object] = {"op": int(opcode), "d": data}
    if sequence is not None:
        frame["seq"] = sequence
    return json.dumps(frame)


def binary_frame(opcode: Opcode, data: bytes, sequence: int) -> bytes:
    """Return a binary frame of the MLS exchange."""
    return struct.pack(">HB", sequence, opcode) + data


class Outbox:
    """Sends frames in order, so that nobody who has something to say must wait for the network."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[Frame | int] = asyncio.Queue()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="voice websocket outbox")

    def put(self, frame: Frame) -> None:
        """Send ``frame`` after everything that was put before."""
        self._queue.put_nowait(frame)

    def put_close(self, code: int) -> None:
        """Close the websocket with ``code`` after everything that was put before."""
        self._closing = True
        self._queue.put_nowait(code)

    async def aclose(self) -> None:
        """Send nothing more; a close that was put is still carried out, or its code would be lost."""
        if not self._closing:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            frame = await self._queue.get()
            try:
                if isinstance(frame, str):
                    await self._socket.send_str(frame)
                elif isinstance(frame, bytes):
                    await self._socket.send_bytes(frame)
                else:
                    await self._socket.close(code=frame)
                    return
            except ConnectionError:
                return  # the reading side sees the end too, and cleans up
