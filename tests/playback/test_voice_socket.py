"""What the voice websocket keeps in memory for a channel. What it survives is tested elsewhere."""

from __future__ import annotations

import asyncio.sslproto
from typing import Any

from bot.allocator import TLS_BUFFER_BYTES, keep_read_buffers_small
from tests.scenes import VoiceScene


async def test_the_voice_socket_neither_compresses_nor_keeps_a_large_buffer(scene: VoiceScene) -> None:
    keep_read_buffers_small()
    await scene.alice.join(scene.perch)
    client = await scene.connect(scene.perch)

    socket: Any = client._connection.ws.ws
    protocol = socket._conn.transport._ssl_protocol

    assert socket.compress == 0
    assert isinstance(protocol, asyncio.sslproto.SSLProtocol)
    assert len(protocol.get_buffer(-1)) == TLS_BUFFER_BYTES
    assert client.is_connected()
