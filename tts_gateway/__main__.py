"""`python -m tts_gateway`: the TTS gateway as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import re
import signal
import ssl
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Protocol

try:
    from aiohttp import web

    from tts_gateway.engines.base import Engine, EngineMissing
    from tts_gateway.engines.registry import ENGINES, PREVIEW, EngineOptions, StartedEngine, start_engine
    from tts_gateway.fetch import Endpoint, FetchOptions
    from tts_gateway.models.command import models_command
    from tts_gateway.models.store import DEFAULT_FOLDER
    from tts_gateway.server import ServerOptions, create_app, serving
    from tts_gateway.sounds import HandedOverRecordings, follow_stdin
    from untrusted.confinement import close_memory
except ModuleNotFoundError as error:
    sys.exit(
        f"The packages of this TTS gateway are not installed for this Python ({error.name}). Type make run, "
        "then .venv/bin/python -m tts_gateway"
    )

_KEY: Final = re.compile(r"[\x21-\x7e]+")  # what an HTTP header carries unchanged
_MAPPING: Final = re.compile(r"\A(?P<host>[A-Za-z0-9.-]+)=(?P<address>\[[^\]]+\]|[^:]+):(?P<port>\d{1,5})")


class AppFactory(Protocol):
    """What makes the application that is served; `create_app` is one."""

    def __call__(
        self,
        engine: Engine,
        *,
        options: ServerOptions,
        handed_over: HandedOverRecordings | None,
        stand_in: Engine | None,
    ) -> web.Application:
        """Return the application; it closes the engines when it is cleaned up."""
        ...


def main(arguments: Sequence[str] | None = None, *, create_app: AppFactory = create_app) -> int:
    """Serve what ``create_app`` returns until a signal or the end of stdin; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["models"]:
        return models_command(arguments[1:])
    parser = _parser()
    wishes = parser.parse_args(arguments)
    if not (wishes.api_key_file or wishes.open or _is_this_machine(wishes.host)):
        parser.error(
            f"on {wishes.host} others can reach it, and without a key everybody may use it: give it one with "
            "--api-key-file, or allow that with --open"
        )
    close_memory()  # it may hold a key
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        return asyncio.run(_serve(wishes, create_app))
    except KeyboardInterrupt:  # where signals cannot be handled in the loop
        return 0


async def _serve(wishes: argparse.Namespace, create_app: AppFactory) -> int:
    ended = asyncio.Event()
    _end_on_signals(ended)
    handed_over = HandedOverRecordings() if wishes.take_recordings else None
    if wishes.until_stdin_closes or handed_over is not None:
        follow_stdin(ended, handed_over)
    try:
        started = await _started(wishes, ended)
    except EngineMissing as error:
        print(f"The TTS gateway does not start: {error}", file=sys.stderr)
        return 2
    if started is None:
        return 0
    places = started.about.places
    options = ServerOptions(
        api_key=wishes.api_key_file,
        keep_seconds=wishes.keep_seconds,
        about=started.about,
        reference_places=max(2, places),
        waiting_places=max(16, 2 * places),
        fetch=FetchOptions(resolve=dict(wishes.resolve), ca_file=wishes.ca_file),
    )
    app = create_app(started.engine, options=options, handed_over=handed_over, stand_in=started.stand_in)
    async with AsyncExitStack() as stack:
        try:
            base_url = await stack.enter_async_context(serving(app, host=wishes.host, port=wishes.port))
        except OSError as error:
            print(f"The TTS gateway cannot serve on {wishes.host}:{wishes.port}: {error}", file=sys.stderr)
            return 1
        print(f"TTS gateway: {base_url}", flush=True)
        await ended.wait()
    return 0


async def _started(wishes: argparse.Namespace, ended: asyncio.Event) -> StartedEngine | None:
    """Return the engine once it is ready; None if the end comes first. Raises EngineMissing."""
    options = EngineOptions(
        models=wishes.models,
        workers=wishes.workers,
        upstreams=tuple(wishes.upstream),
        upstream_key=wishes.upstream_key_file,
        device=wishes.device,
        stands_in=wishes.stand_in == PREVIEW,
    )
    starting = asyncio.create_task(start_engine(wishes.engine, options))
    ending = asyncio.create_task(ended.wait())
    await asyncio.wait([starting, ending], return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if starting.done():
        return starting.result()
    starting.cancel()
    await asyncio.wait([starting])
    return None


def _end_on_signals(ended: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tts_gateway",
        description="A TTS gateway to run yourself: the VoxCPM2 contract in front of an engine.",
        epilog="python -m tts_gateway models: which voice models are here, and how to get them.",
    )
    add = parser.add_argument
    add("--engine", choices=list(ENGINES), default=PREVIEW, help="what makes the sound (%(default)s)")
    add("--models", type=Path, default=DEFAULT_FOLDER, metavar="DIR", help="where models are (%(default)s)")
    add("--workers", type=_count, metavar="N", help="processes with a model each, for engines that have them")
    add("--upstream", action="append", default=[], metavar="URL", help="a vLLM-Omni server; may be repeated")
    add("--upstream-key-file", type=_key, metavar="FILE", help="file with the key that those servers want")
    add("--device", help="what voxcpm computes on: cuda, mps or cpu (the best there is)")
    add(
        "--stand-in",
        choices=[PREVIEW, "none"],
        default=PREVIEW,
        help="what makes what the engine does not offer; the answer says so (%(default)s)",
    )
    add("--host", default="127.0.0.1", help="address to serve on (%(default)s)")
    add("--port", type=_port, default=0, help="port to serve on; 0, the default, takes a free one")
    add("--api-key-file", type=_key, metavar="FILE", help="file with the key that callers must send")
    add("--open", action="store_true", help="serve everybody who reaches it, without a key")
    add(
        "--resolve",
        type=_mapping,
        action="append",
        default=[],
        metavar="HOST=IP:PORT",
        help="fetch recordings of HOST from there",
    )
    add("--ca-file", type=_certificates, metavar="PEM", help="more certificates to trust for recordings")
    add(
        "--keep-seconds",
        type=_seconds,
        default=900.0,
        metavar="N",
        help="how long sounds are kept (%(default)s)",
    )
    add("--until-stdin-closes", action="store_true", help="end when stdin does")
    add(
        "--take-recordings",
        action="store_true",
        help="until then, take recordings from stdin, each for one call",
    )
    return parser


def _is_this_machine(host: str) -> bool:
    """Return whether only this machine reaches what is served on ``host``; a name may be any address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("it must be a number from 1 to 64")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError("it must be a number of seconds above 0")
    return seconds


def _key(path: str) -> str:
    try:
        key = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read: {error}") from error
    if not _KEY.fullmatch(key):
        raise argparse.ArgumentTypeError(f"{path} must hold one key: printable characters without spaces")
    return key


def _certificates(path: str) -> Path:
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise argparse.ArgumentTypeError(f"{path} holds no certificates: {error}") from error
    return Path(path)


def _mapping(text: str) -> tuple[str, Endpoint]:
    match = _MAPPING.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        address = str(ipaddress.ip_address(match["address"].strip("[]")))
        port = _port(match["port"])
    except ValueError as error:
        raise argparse.ArgumentTypeError("it must look like HOST=IP:PORT") from error
    return match["host"].rstrip("."), Endpoint(address, port)


if __name__ == "__main__":
    sys.exit(main())
