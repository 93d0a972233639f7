"""`python -m bot`: settings, logging, run; a bad setting is one sentence and exit status 2."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import discord

from bot import __version__, logs
from bot.allocator import give_large_blocks_back
from bot.checkup import check
from bot.errors import LibraryError, MemberError, OtherDatabaseError, SettingsError, TTSError
from bot.settings import Settings, files_others_can_read
from bot.speech_bot import SpeechBot, is_healthy
from bot.voice_files import export_voice, import_voice

log = logging.getLogger(__name__)

_HOW_TO_START = (
    "DISCORD_TOKEN is not set. Copy .env.example to .env and put the token of your bot there, "
    "or try everything without an account: python -m rehearsal"
)


async def run(bot: SpeechBot, token: str, stop: asyncio.Event) -> None:
    """Run ``bot`` until ``stop`` is set, then shut it down in order.

    Raises what ended the bot by itself, for example `discord.LoginFailure`.
    """
    give_large_blocks_back()
    async with bot:
        running = asyncio.create_task(bot.start(token), name="discord")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            await bot.shut_down()
        await running


def stop_on_signals(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set; discord.py itself handles no SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    return stop


def main(arguments: list[str] | None = None) -> int:
    """Carry out the command line; return the exit status."""
    given = _parser().parse_args(arguments)
    command = given.command
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    if command == "has-token":
        return 0 if settings.discord_token else 1
    if command == "healthy":
        return 0 if is_healthy(settings.data_dir) else 1
    if command == "check":
        return asyncio.run(check(settings))
    if command == "export-voice":
        return _say(export_voice(settings, given.name, given.guild, given.to))
    if command == "import-voice":
        return _say(import_voice(settings, given.file, given.guild, given.owner))
    return _run(settings)


def _say(work: Coroutine[Any, Any, str]) -> int:
    """Do ``work``, print what was done or what stood in the way, and return the exit status."""
    try:
        print(asyncio.run(work))
    except (MemberError, LibraryError) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, OtherDatabaseError) else 1
    return 0


def _run(settings: Settings) -> int:
    if settings.discord_token is None:
        print(_HOW_TO_START, file=sys.stderr)
        return 2
    logs.set_up(settings.log_level, settings.log_format, secrets=settings.secrets)
    for path in files_others_can_read():
        log.warning(
            "%s holds a secret, and other users of this machine can read it: chmod 600 %s", path, path
        )
    try:
        asyncio.run(_run_until_signalled(settings, settings.discord_token.reveal()))
    except discord.LoginFailure:
        print("Discord refused DISCORD_TOKEN. Copy it again from the developer portal.", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"Discord cannot be reached ({type(error).__name__}). Is this machine online?", file=sys.stderr)
        return 1
    except LibraryError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, OtherDatabaseError) else 1
    except TTSError as error:
        print(f"The TTS gateway could not be started: {error}. Try: python -m bot check", file=sys.stderr)
        return 1
    return 0


async def _run_until_signalled(settings: Settings, token: str) -> None:
    loop = asyncio.get_running_loop()
    logs.watch_loop(loop)
    with suppress(asyncio.CancelledError):
        await run(SpeechBot(settings), token, stop_on_signals(loop))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bot", description="A Discord bot that says things.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", title="commands", metavar="")
    commands.add_parser("check", help="say what works, what is missing, and how to mend it")
    commands.add_parser("has-token", help="exit 0 if a Discord token is set, 1 if not")
    commands.add_parser("healthy", help="exit 0 if the running bot is connected, 1 if not")
    _add_voice_commands(commands)
    return parser


def _add_voice_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export = commands.add_parser("export-voice", help="write a saved voice into a file")
    export.add_argument("name", help="its name")
    export.add_argument("--to", type=Path, metavar="FILE", help="where to; named after the voice if not said")
    load = commands.add_parser("import-voice", help="save a voice from such a file")
    load.add_argument("file", type=Path)
    load.add_argument("--owner", type=int, required=True, metavar="ID", help="the member it will belong to")
    for parser in (export, load):
        parser.add_argument("--guild", type=int, required=True, metavar="ID", help="the id of the server")


if __name__ == "__main__":
    sys.exit(main())
