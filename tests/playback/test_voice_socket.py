"""What the voice websocket keeps in memory for a channel. What it survives is tested elsewhere."""

from __future__ import annotations

import asyncio.sslproto
from typing import Any

from bot.playback.voice_socket import READ_BYTES
from tests.playback.scene import Scene


async def test_it_neither_compresses_nor_keeps_a_large_buffer_and_all_goes_on(scene: Scene) -> None:
    await scene.alice.join(scene.lounge)
    client = await scene.join(scene.lounge)

    socket: Any = client._connection.ws.ws
    protocol = socket._conn.transport._ssl_protocol

    assert socket.compress == 0
    assert isinstance(protocol, asyncio.sslproto.SSLProtocol)
    assert len(protocol.get_buffer(-1)) == READ_BYTES
    assert client.is_connected()
