"""`python -m bot`: settings, logging, run; a bad setting is one sentence and exit status 2."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from contextlib import suppress

import discord

from bot import __version__, logs
from bot.checkup import check
from bot.errors import SettingsError, TTSError
from bot.settings import Settings, files_others_can_read
from bot.speech_bot import SpeechBot, is_healthy

log = logging.getLogger(__name__)

_HOW_TO_START = (
    "DISCORD_TOKEN is not set. Copy .env.example to .env and put the token of your bot there, "
    "or try everything without an account: python -m rehearsal"
)


async def run(bot: SpeechBot, token: str, stop: asyncio.Event) -> None:
    """Run ``bot`` until ``stop`` is set, then shut it down in order.

    Raises what ended the bot by itself, for example `discord.LoginFailure`.
    """
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
    command = _parser().parse_args(arguments).command
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
    return _run(settings)


def _run(settings: Settings) -> int:
    if settings.discord_token is None:
        print(_HOW_TO_START, file=sys.stderr)
        return 2
    secrets = [secret for secret in (settings.discord_token, settings.tts_api_key) if secret]
    logs.set_up(settings.log_level, settings.log_format, secrets=[secret.reveal() for secret in secrets])
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
    return parser


if __name__ == "__main__":
    sys.exit(main())
