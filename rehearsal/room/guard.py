"""Who may speak to the room: pages of its own origin, on its own address, and nobody else."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

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
    if foreign and not (request.path in _FOR_EVERYBODY and _is_navigation(request)):
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


def _is_navigation(request: web.Request) -> bool:
    return request.headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET"
