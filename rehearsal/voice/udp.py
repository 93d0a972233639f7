"""The UDP socket of the voice server: IP discovery, and packets by their SSRC."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from typing import Final, cast

from rehearsal.voice.faults import VoiceFaults
from rehearsal.voice.transport import RTPHeader

log = logging.getLogger(__name__)

PacketReceiver = Callable[[bytes, RTPHeader], None]

_DISCOVERY_BYTES: Final = 74
_DISCOVERY_REQUEST: Final = 1
_DISCOVERY_ANSWER: Final = 2
_RECEIVE_BUFFER: Final = 4 * 1024 * 1024


class PacketSocket(asyncio.DatagramProtocol):
    """One UDP socket for all calls; every connection registers its SSRC."""

    def __init__(self, faults: VoiceFaults) -> None:
        self._faults = faults
        self._receivers: dict[int, PacketReceiver] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.address: tuple[str, int] = ("127.0.0.1", 0)
        self.received = 0  # packets of sound that arrived, lost ones included
        self.dropped = 0  # ... that `VoiceFaults.drop_every` took
        self.strangers = 0  # ... that no connection expected

    async def open(self) -> None:
        """Bind a free port of 127.0.0.1."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=self.address, family=socket.AF_INET)

    def close(self) -> None:
        """Release the port."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def register(self, ssrc: int, receiver: PacketReceiver) -> None:
        """Hand every packet of ``ssrc`` to ``receiver`` from now on."""
        self._receivers[ssrc] = receiver

    def unregister(self, ssrc: int) -> None:
        """Ignore packets of ``ssrc`` from now on."""
        self._receivers.pop(ssrc, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket; called by asyncio."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self.address = sock.getsockname()[:2]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer IP discovery, or pass a packet on; called by asyncio."""
        if len(data) == _DISCOVERY_BYTES and struct.unpack_from(">H", data)[0] == _DISCOVERY_REQUEST:
            self._answer_discovery(data, addr)
            return
        self.received += 1
        if self._faults.drop_every and self.received % self._faults.drop_every == 0:
            self.dropped += 1
            return
        try:
            header = RTPHeader.of(data)
            receiver = self._receivers[header.ssrc]
        except (ValueError, KeyError):
            self.strangers += 1
            return
        receiver(data, header)

    def error_received(self, exc: Exception) -> None:
        """Go on: a client that closed its socket is no reason to stop; called by asyncio."""
        log.debug("the packet socket saw %s", exc)

    def _answer_discovery(self, request: bytes, addr: tuple[str, int]) -> None:
        ssrc = struct.unpack_from(">I", request, 4)[0]
        if self._faults.no_udp_answer or ssrc not in self._receivers or self._transport is None:
            return
        answer = struct.pack(">HHI64sH", _DISCOVERY_ANSWER, 70, ssrc, addr[0].encode(), addr[1])
        self._transport.sendto(answer, addr)
