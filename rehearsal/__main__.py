"""`python -m rehearsal`: the whole bot on a Discord of our own: a page in the browser, a tour, a prompt."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bot import without_packages

try:
    from bot import logs
    from bot.errors import SettingsError, SpeechBotError
    from bot.settings import Settings
    from bot.speech_bot import SpeechBot
    from rehearsal.errors import PortTakenError, RehearsalError
    from rehearsal.prompt import Prompt
    from rehearsal.reading_tour import ReadingTour
    from rehearsal.room.on_call import BotOnCall
    from rehearsal.room.site import DEFAULT_PORT, opened_room, show_in_browser
    from rehearsal.room.switches import TTSSwitches, free_port
    from rehearsal.server import Rehearsal
    from rehearsal.stage import TourStage
    from rehearsal.tours import FirstHour, Tour, VoicesTour
    from rehearsal.walk import Walk
    from rehearsal.wire import INTENT_MESSAGE_CONTENT
except ModuleNotFoundError as error:
    sys.exit(without_packages(error, " ".join(["rehearsal", *sys.argv[1:]])))

_LAST_PORT: Final = 65_535

TOURS: Final[Mapping[str, type[Walk]]] = MappingProxyType(
    {"main": Tour, "first-hour": FirstHour, "voices": VoicesTour, "reading": ReadingTour}
)


@dataclass(frozen=True)
class RunOptions:
    """Options of one run: with ``room`` the page is served, on ``host`` and ``port`` (None: 8765 if free).

    ``tour`` is the name of one of `TOURS`; None: no tour.
    """

    output: Path
    room: bool = True
    tour: str | None = "main"
    prompt: bool = True
    browser: bool = True
    host: str = "127.0.0.1"
    port: int | None = None


async def rehearse(settings: Settings, options: RunOptions) -> int:
    """Carry out ``options``; return the exit status."""
    fine = True
    async with opened_stage(settings, options) as stage:
        if options.tour is not None:
            fine = await TOURS[options.tour](stage).run()
        if options.prompt:
            await Prompt(stage).run()
        if options.tour is None:
            await _until_signalled()
    return 0 if fine else 1


@asynccontextmanager
async def opened_stage(settings: Settings, options: RunOptions) -> AsyncIterator[TourStage]:
    """Yield a stage on which the bot is logged in; everything on it ends with the context."""
    async with AsyncExitStack() as parts:
        data_dir = parts.enter_context(tempfile.TemporaryDirectory(prefix="myna-rehearsal-"))
        settings = replace(settings, data_dir=Path(data_dir), storage_channel_id=None, sound_process="off")
        rehearsal = await parts.enter_async_context(Rehearsal())
        rehearsal.directory.privileged_intents = INTENT_MESSAGE_CONTENT
        stage = TourStage(rehearsal, options.output)
        tts = TTSSwitches(free_port() if options.room and settings.own_tts_gateway else None)

        def make_bot() -> SpeechBot:
            arguments = [*rehearsal.tts_gateway_arguments(), *tts.arguments()]
            connector = rehearsal.connector()
            return SpeechBot(
                settings,
                connector=connector,
                own_tts_gateway_arguments=arguments,
                own_tts_gateway_module=tts.module,
            )

        bot = BotOnCall(rehearsal, make_bot)
        if options.room:
            room = opened_room(
                *(rehearsal, bot, tts),
                host=options.host,
                port=options.port,
                engine=settings.own_engine,
            )
            site = await parts.enter_async_context(room)
            await _announce(site.url, browser=options.browser)
        parts.push_async_callback(bot.aclose)
        await bot.start()
        yield stage


async def _announce(url: str, *, browser: bool) -> None:
    shown = browser and await show_in_browser(url)
    how = "is open in your browser" if shown else "is ready; open it in your browser"
    print(f"The rehearsal room {how}: {url}\n", flush=True)


async def _until_signalled() -> None:
    """Return at SIGINT or SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    await stop.wait()


def main(arguments: list[str] | None = None) -> int:
    """Carry out the command line; return the exit status."""
    options = _run_options(_parser().parse_args(arguments))
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    logs.set_up("warning" if settings.log_level == "info" else settings.log_level, settings.log_format)
    logging.getLogger("discord.client").setLevel(logging.ERROR)
    # discord.py 2.7.1 takes an answer that comes at once, as on loopback, for one to the heartbeat before
    logging.getLogger("discord.gateway").setLevel(logging.ERROR)
    try:
        return asyncio.run(rehearse(settings, options))
    except PortTakenError as error:
        print(error, file=sys.stderr)
        return 2
    except (SpeechBotError, RehearsalError, OSError) as error:
        print(f"The rehearsal could not go on: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run_options(parsed: argparse.Namespace) -> RunOptions:
    terminal = sys.stdin.isatty()
    return RunOptions(
        output=parsed.output,
        room=parsed.room_only or (terminal and not parsed.no_room),
        tour=None if parsed.room_only else parsed.tour,
        prompt=terminal and not parsed.no_prompt and not parsed.room_only,
        browser=terminal and not parsed.no_browser,
        host=parsed.host,
        port=parsed.port,
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {_LAST_PORT}, not {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rehearsal",
        description="Try the whole bot on a Discord of our own, without an account. At a terminal a page "
        "opens in the browser; a tour and a prompt run in the terminal. Without one, only the tour.",
    )
    add = parser.add_argument
    add("--port", type=_port, help=f"port of the page; 0 takes a free one ({DEFAULT_PORT}, or a free one)")
    add(
        "--host", default="127.0.0.1", help="address of the page; others than yours see it only if you say so"
    )
    add("--no-browser", action="store_true", help="print the address of the page and open no browser")
    add("--no-room", action="store_true", help="the tour alone, in the terminal")
    add("--room-only", action="store_true", help="serve the page until Ctrl+C or SIGTERM; no tour, no prompt")
    add(
        "--tour",
        choices=TOURS,
        default="main",
        help="everything in short, a server's first hour, saved voices, or a channel that is read aloud",
    )
    add("--no-prompt", action="store_true", help="end after the tour")
    add("--output", type=Path, default=Path("rehearsal-output"), help="where the sounds of the tour go")
    return parser


if __name__ == "__main__":
    sys.exit(main())
