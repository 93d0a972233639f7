"""Site of the room: its own small web server, who may speak to it, and how it is opened."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from rehearsal.cdn import SentFile
from rehearsal.errors import PortTakenError
from rehearsal.recordings import RECORDINGS
from rehearsal.room.acts import Acts
from rehearsal.room.on_call import BotOnCall
from rehearsal.room.room import MAX_BYTES, Room
from rehearsal.room.setting import Setting
from rehearsal.room.switches import DiscordSwitches, TTSSwitches, VoiceSwitches
from rehearsal.room.tab import Tab
from rehearsal.server import Rehearsal

DEFAULT_PORT = 8765


@asynccontextmanager
async def opened_room(
    rehearsal: Rehearsal,
    bot: BotOnCall,
    tts: TTSSwitches,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    engine: str = "preview",
) -> AsyncIterator[RoomSite]:
    """Yield the site of a room in ``rehearsal``, whose page shows ``bot`` come and go.

    ``engine`` is that of our own TTS gateway, if it is ours.
    Without a ``port`` it takes 8765, or a free one if somebody has that. Raises `PortTakenError` for a
    host or a port that cannot be had.
    """
    room = Room(rehearsal, Setting(rehearsal.world))

    async def restart() -> None:
        await bot.restart()
        await tts.again()

    room.add_switches(
        [
            *tts.all(),
            *VoiceSwitches(rehearsal, room.setting).all(),
            *DiscordSwitches(rehearsal, restart).all(),
        ]
    )
    room.bot_ended = lambda: bot.ended
    room.engine = engine if tts.is_ours else ""
    bot.changes.listen(room.changed)
    rehearsal.main_socket.changes.listen(room.changed)
    site = RoomSite(room, host=host, port=DEFAULT_PORT if port is None else port)
    await site.start(or_any_port=port is None)
    try:
        yield site
    finally:
        await site.aclose()


async def show_in_browser(url: str) -> bool:
    """Open ``url`` in a browser with windows, and return whether there is one.

    A browser that would take over the terminal is none: the tour runs there.
    """
    return await asyncio.to_thread(_show, url)


def _show(url: str) -> bool:
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    if type(browser) is webbrowser.GenericBrowser:  # w3m, lynx and their like
        return False
    return browser.open(url)


_FOR_EVERYBODY: Final = ("/",)
"""What may be opened by following a link from elsewhere: the page itself."""

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def guard(*, loopback_only: bool) -> Middleware:
    """Return a middleware that refuses foreign hosts and origins with 403.

    A name that somebody else's DNS points at this machine is not our name: the host must be `localhost`
    or an IP address, a loopback one with ``loopback_only``. What changes anything must come from a page
    of the same origin, and so must the websocket.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        reason = why_refused(request, loopback_only=loopback_only)
        if reason is not None:
            raise web.HTTPForbidden(text=f"Refused: {reason}.\n", headers=HEADERS)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(HEADERS)
            response.headers.setdefault("Content-Security-Policy", _POLICY.format(host=request.host))
        return response

    return check


def why_refused(request: web.Request, *, loopback_only: bool) -> str | None:
    """Return why ``request`` is not answered; None when it is."""
    if not is_our_host(request.host, loopback_only=loopback_only):
        return "this is not an address of the rehearsal room"
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        return "the request comes from another site"
    upgrades = request.headers.get("Upgrade", "").lower() == "websocket"
    if origin is None and (upgrades or request.method not in ("GET", "HEAD")):
        return "the request does not say which page it comes from"
    foreign = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
    navigates = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET"
    if foreign and not (request.path in _FOR_EVERYBODY and navigates):
        return "the request comes from another site"
    return None


def is_our_host(host: str, *, loopback_only: bool) -> bool:
    """Return whether the `Host` header names this machine, and by nothing that others can point at it."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or not loopback_only


STATIC: Final = Path(__file__).parent / "static"
_SAFE_TO_SHOW: Final = ("audio/", "video/")
_BESIDE_THE_PAGE: Final = "sandbox; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'"


class RoomSite:
    """Serves ``room`` on ``host`` and ``port`` (0: a free one) from `start` to `aclose`."""

    def __init__(self, room: Room, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.room = room
        self._acts = Acts(room)
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._sockets: set[web.WebSocketResponse] = set()

    @property
    def url(self) -> str:
        """Return the address of the page."""
        if self._runner is None:
            raise RuntimeError("the room is not open")
        address, port = self._runner.addresses[0][:2]
        if address in ("0.0.0.0", "::"):  # noqa: S104 - a comparison: a browser needs a real address
            address = "127.0.0.1"
        return f"http://{f'[{address}]' if ':' in address else address}:{port}/"

    async def start(self, *, or_any_port: bool = False) -> None:
        """Open the port, or with ``or_any_port`` a free one if somebody has it. Raises `PortTakenError`."""
        try:
            await self._start(self._port)
        except OSError as error:
            if or_any_port and error.errno == errno.EADDRINUSE:
                await self._start(0)
                return
            raise PortTakenError(self._why_not(error)) from error

    def _why_not(self, error: OSError) -> str:
        if error.errno == errno.EADDRINUSE:
            return f"Port {self._port} is taken. Leave --port out, and I'll take a free one."
        if error.errno == errno.EACCES:
            return f"Port {self._port} needs special rights here. Leave --port out, and I'll take a free one."
        return f"The page can't be opened at {self._host}, port {self._port}. Leave --host out for 127.0.0.1."

    async def _start(self, port: int) -> None:
        loopback = self._host in ("127.0.0.1", "localhost", "::1")
        app = web.Application(middlewares=[guard(loopback_only=loopback)], client_max_size=MAX_BYTES)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/socket", self._socket),
                web.post("/upload", self._upload),
                web.get("/recordings", self._recordings),
                web.get("/recordings/{name}", self._recording),
                web.get("/attachments/{path:.+}", self._attachment),
                web.get("/ephemeral-attachments/{path:.+}", self._attachment),
                web.get("/soundboard-sounds/{path}", self._attachment),
                web.static("/static", STATIC),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def aclose(self) -> None:
        """Close every tab's websocket, then the port."""
        await asyncio.gather(*(socket.close(code=1001) for socket in list(self._sockets)))
        await self.room.aclose()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=20.0, timeout=1.0, max_msg_size=1024 * 1024)
        await socket.prepare(request)
        wanted = request.query.get("as")
        known = [person for person in self.room.setting.people if str(person.id) == wanted]
        self._sockets.add(socket)
        try:
            await Tab(self.room, self._acts, socket, known[0] if known else self.room.free_person()).run()
        finally:
            self._sockets.discard(socket)
        return socket

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        name = request.query.get("name") or "unknown"
        file = SentFile(name, await request.read())
        return web.json_response({"file": self.room.uploads.add(file)})

    async def _recordings(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response([{"name": r.name, "transcript": r.transcript} for r in RECORDINGS])

    async def _recording(self, request: web.Request) -> web.StreamResponse:
        for recording in RECORDINGS:
            if recording.name == request.match_info["name"]:
                return web.FileResponse(recording.path, headers={"X-File-Name": recording.path.name})
        raise web.HTTPNotFound

    async def _attachment(self, request: web.Request) -> web.StreamResponse:
        response = await self.room.rehearsal.cdn.serve(request)
        if not response.headers.get("Content-Type", "").startswith(_SAFE_TO_SHOW):
            response.headers["Content-Disposition"] = "attachment"
        response.headers["Content-Security-Policy"] = _BESIDE_THE_PAGE
        return response
