"""The rehearsal itself: one TLS port on 127.0.0.1 that is all of Discord, and its certificate."""

from __future__ import annotations

import base64
import datetime
import secrets
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rehearsal.answers import shown_files
from rehearsal.backstage import Backstage
from rehearsal.cdn import ShownFile
from rehearsal.guilds import World
from rehearsal.records import Message
from rehearsal.rest.call import Misbehaviour
from rehearsal.rest.router import Router

_SUFFIXES = ("discord.com", "discord.gg", "discord.media", "discordapp.com", "discordapp.net")


def is_discord(host: str) -> bool:
    """Return whether ``host`` belongs to Discord."""
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in _SUFFIXES)


class LoopbackResolver(AbstractResolver):
    """Resolves Discord's names to one port on 127.0.0.1, and no other name at all."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the rehearsal's address. Raises `OSError` for a name that is not Discord's."""
        if not is_discord(host):
            raise OSError(None, f"{host} is not Discord; in the rehearsal nothing leaves this machine")
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Do nothing; there is nothing to close."""


def loopback_connector(port: int, ca_file: Path) -> aiohttp.TCPConnector:
    """Return a connector for which the rehearsal on ``port`` is Discord."""
    context = ssl.create_default_context(cafile=str(ca_file))
    return aiohttp.TCPConnector(limit=0, resolver=LoopbackResolver(port), ssl=context)


DISCORD_NAMES = (
    "discord.com",
    "*.discord.com",
    "gateway.discord.gg",
    "*.discord.gg",
    "cdn.discordapp.com",
    "media.discordapp.net",
    "*.discord.media",
)


def make_certificate(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """Return the certificate to trust, as a file in ``directory``, and the server's TLS context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rehearsal")])
    now = datetime.datetime.now(datetime.UTC)
    # Python 3.13 and newer verify strictly and want the key's identifier.
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, DISCORD_NAMES))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    ca_file = directory / "rehearsal-ca.pem"
    ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    chain = directory / "rehearsal.pem"
    chain.touch(mode=0o600)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain.write_bytes(private + ca_file.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return ca_file, context


MAX_BODY = 128 * 1024 * 1024
CDN_HOSTS = ("cdn.discordapp.com", "media.discordapp.net")


class Rehearsal:
    """A Discord on loopback; an async context manager.

    The bot logs in with ``token`` through `connector`. Everything it sends is in ``requests``.
    """

    def __init__(self) -> None:
        self.token = _made_up_token()
        self.parts = Backstage.build(self.token)
        self.world = World(self.parts)
        self.router = Router(self.parts, self.token)
        self.requests = self.router.requests
        """Every REST call of the bot, in order."""
        self.voice = self.parts.voice
        self.main_socket = self.parts.main_socket
        self.cdn = self.parts.cdn
        self.cdn.fetch = self._download
        self.commands = self.parts.commands
        self.interactions = self.parts.interactions
        self.directory = self.parts.directory
        self.application_id = self.parts.bot.id
        self.port = 0
        self.ca_file = Path()
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._runner: web.AppRunner | None = None
        self._people_session: aiohttp.ClientSession | None = None

    # -- what happened ----------------------------------------------------------------------------

    def files_of(self, message: Message) -> list[ShownFile]:
        """Return the files under ``message`` as a person sees them, with fresh addresses."""
        return shown_files(message, self.cdn)

    def misbehave(self, *misbehaviours: Misbehaviour) -> None:
        """Let the next calls that match fail, or be late."""
        self.router.misbehaviours.extend(misbehaviours)

    @contextmanager
    def holding_back(self) -> Iterator[None]:
        """Let every call of the bot wait inside, but the first responses to interactions."""
        self.router.gate.clear()
        try:
            yield
        finally:
            self.router.gate.set()

    async def caught_up(self) -> None:
        """Wait until the bot has taken in everything that has happened so far."""
        await self.main_socket.caught_up()

    # -- how others reach it ----------------------------------------------------------------------

    def connector(self) -> aiohttp.TCPConnector:
        """Return a connector for which this rehearsal is Discord; hand it to the bot."""
        return loopback_connector(self.port, self.ca_file)

    def tts_gateway_arguments(self) -> list[str]:
        """Return the arguments with which a TTS gateway of ours fetches recordings from here."""
        resolve = [f"{host}=127.0.0.1:{self.port}" for host in CDN_HOSTS]
        options = [argument for address in resolve for argument in ("--resolve", address)]
        return [*options, "--ca-file", str(self.ca_file)]

    # -- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the port. `aclose` must follow."""
        self._directory = tempfile.TemporaryDirectory(prefix="rehearsal-")
        self.ca_file, context = make_certificate(Path(self._directory.name))
        await self.voice.start()
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._people_session = aiohttp.ClientSession(connector=self.connector())

    async def aclose(self) -> None:
        """End everything: connections first, then the port."""
        self.parts.interactions.close()
        if self._people_session is not None:
            await self._people_session.close()
        await self.main_socket.close(1001)
        await self.voice.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._directory is not None:
            self._directory.cleanup()

    async def __aenter__(self) -> Rehearsal:
        try:
            await self.start()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        host = (request.host or "").partition(":")[0]
        if host in CDN_HOSTS:
            return await self.cdn.serve(request)
        if host.endswith(".discord.media"):
            return await self.voice.websocket(request)
        if host.endswith(".discord.gg"):
            return await self.main_socket.websocket(request)
        return await self.router.answer(request)

    async def _download(self, url: str) -> bytes:
        if self._people_session is None:
            raise RuntimeError("the rehearsal is not running")
        async with self._people_session.get(url) as response:
            response.raise_for_status()
            return await response.read()


def _made_up_token() -> str:
    """Return something of a token's shape that opens nothing."""
    return ".".join(
        base64.urlsafe_b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (18, 4, 27)
    )
