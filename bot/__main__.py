"""`python -m bot`: settings, logging, run; a bad setting is one sentence and exit status 2."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import logging
import signal
import sys
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bot import __version__, typed, without_packages

try:
    from bot import logs
    from bot.allocator import give_large_blocks_back, keep_read_buffers_small
    from bot.check import check
    from bot.data_folder import MAX_PROCESSES, DataFolder, StartTimes
    from bot.delivery.voice_archive import export_voice, import_voice
    from bot.erasure import Holdings, delete_everything
    from bot.errors import NotDiscordError, SpeechBotError
    from bot.library.engine import address, file_of
    from bot.library.moving import back_up_to, restore_from
    from bot.monitor import Monitor
    from bot.settings import Settings, files_others_can_read, forget_secrets, whole_environment
    from bot.speech_bot import SpeechBot, is_healthy
    from bot.start import Obstacle, Waits, identifies_left, obstacle_of
    from bot.status import StatusSocket, ask, screen
    from bot.supervisor import Supervisor
    from untrusted.confinement import close_memory
except ModuleNotFoundError as error:
    sys.exit(without_packages(error, " ".join(["bot", *sys.argv[1:]])))

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

_MOST_DESCRIPTORS: Final = 65_536

_WORDS: Final = "delete everything"

_HOW_TO_START = (
    "DISCORD_TOKEN is not set. Copy .env.example to .env and put the token of your bot there, "
    f"or try everything without an account: {typed('rehearsal')}"
)


async def run(bot: SpeechBot, token: str, stop: asyncio.Event, *, starts: StartTimes | None = None) -> None:
    """Run ``bot`` until ``stop`` is set, then shut it down in order.

    With ``starts`` it does not identify itself too often. Raises what ended the bot by itself, for example
    `discord.LoginFailure`; see `obstacle_of`.
    """
    give_large_blocks_back()
    keep_read_buffers_small()
    async with bot:
        running = asyncio.create_task(_start(bot, token, starts), name="discord")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not stop.is_set():
            await running
            return
        if not bot.heart_has_beaten.is_set():
            running.cancel()  # still on its way up: nothing more is opened while everything is closed
            await asyncio.wait({running})
        await bot.shut_down()
        running.cancel()
        await asyncio.wait({running})


async def _start(bot: SpeechBot, token: str, starts: StartTimes | None) -> None:
    """Log in and stay connected until the bot is closed."""
    try:
        await bot.login(token)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        if bot.application is not None or isinstance(error, OSError):  # a refused certificate is both
            raise
        raise NotDiscordError("what answered the login has not its form") from error
    if starts is not None:
        await identifies_left(bot)
        await starts.wait_for_turn()
        bot.starts = starts
    await bot.connect()


def stop_on_signals(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set; discord.py itself handles no SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    return stop


async def run_until_stopped(
    settings: Settings,
    token: str,
    stop: asyncio.Event,
    *,
    starts: StartTimes,
    waits: Waits,
    monitor: Monitor,
) -> Obstacle | None:
    """Run bots of these ``settings`` until ``stop`` is set, one after the other while waiting may help.

    ``monitor`` tells of them. Return what ended the last one by itself; None if none did.
    """
    while not stop.is_set():
        bot = SpeechBot(settings)
        monitor.watch(bot)
        try:
            await run(bot, token, stop, starts=starts)
        except Exception as error:  # whatever it is, the operator reads a sentence
            obstacle = obstacle_of(error, settings.proxy)
            was_connected = bot.heart_has_beaten.is_set()
            log.log(logging.ERROR if was_connected else logging.DEBUG, "the bot ended", exc_info=error)
        else:
            return None
        pause = waits.after(obstacle, time.monotonic())
        if pause is None:
            return obstacle
        log.warning("%s It tries again in %.0f s.", obstacle.sentence, pause)
        monitor.note_obstacle(obstacle.sentence)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
    return None


def main(arguments: list[str] | None = None) -> int:
    """Carry out the command line; return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path may have what the terminal has not
    given = _parser().parse_args(arguments)
    close_memory()
    try:
        settings = Settings.load()
        environment = whole_environment() if given.processes else {}
        forget_secrets()
        if given.processes and given.command is None:
            return _supervise(settings, given.processes, environment)
        return _carry_out(given, settings)
    except (SpeechBotError, OSError) as error:
        obstacle = obstacle_of(error)
        print(obstacle.sentence, file=sys.stderr)
        return obstacle.status
    except KeyboardInterrupt:
        return 130


def _carry_out(given: argparse.Namespace, settings: Settings) -> int:
    match given.command:
        case "has-token":
            return 0 if settings.discord_token else 1
        case "healthy":
            return 0 if is_healthy(settings.data_dir) else 1
        case "check":
            return asyncio.run(check(settings, speaks=given.speak))
        case "status":
            return _status(settings, as_json=given.json)
        case "restore-backup":
            return _restore_backup(settings)
        case "backup":
            return _back_up(settings, given.file)
        case "restore":
            return _restore(settings, given.file)
        case "delete-everything":
            ask = _agreed if given.yes else _ask
            return _say(delete_everything(settings, ask, leaves_posts=given.leave_posts))
        case "export-voice":
            return _say(export_voice(settings, given.name, given.guild, given.to))
        case "import-voice":
            return _say(import_voice(settings, given.file, given.guild, given.owner, trust=given.trust))
    return _run(settings)


def _say(work: Coroutine[Any, Any, str]) -> int:
    """Do ``work``, print what was done, and return the exit status."""
    print(asyncio.run(work))
    return 0


async def _ask(there: Holdings) -> bool:
    """Ask the operator whether all that is to go."""
    print(f"This deletes {there}, for good. There is no way back but a backup of your own.")
    print(f"Type {_WORDS!r} to go on: ", end="", flush=True)
    typed_words: str = await asyncio.to_thread(sys.stdin.readline)
    return typed_words.strip() == _WORDS


async def _agreed(there: Holdings) -> bool:
    """Go on: the operator has said so already."""
    return True


def _status(settings: Settings, *, as_json: bool) -> int:
    """Print what the running bot does; return 0 if it serves everybody, else 1."""
    found = asyncio.run(ask(settings.data_dir))
    if as_json:
        print(json.dumps(found, indent=2))
    elif not found:
        print(
            f"No bot is running with DATA_DIR {settings.data_dir.absolute()}. To start one: {typed('bot')}",
            file=sys.stderr,
        )
    else:
        print(screen(found))
    return 0 if found and all(one["ready"] for one in found) else 1


def _back_up(settings: Settings, file: Path) -> int:
    """Write everything that survives a restart into a file, also beside a running bot."""
    moved = asyncio.run(back_up_to(settings.database_address, settings.data_dir, file))
    is_pipe = str(file) == "-"
    print(
        f"{'The pipe' if is_pipe else file} now holds {moved}. Whoever has it has every voice: keep it where "
        "only you can read it.",
        file=sys.stderr if is_pipe else sys.stdout,
    )
    if moved.damaged:
        print(f"{moved.damaged} damaged recordings were left out; their voices are silent.", file=sys.stderr)
    return 0


def _restore(settings: Settings, file: Path) -> int:
    """Put such a file in its place, while no bot runs."""
    with DataFolder(settings):
        moved = asyncio.run(restore_from(settings.database_address, settings.data_dir, file))
    made = f", as they were on {moved.made_at:%d %B %Y, %H:%M} UTC" if moved.made_at else ""
    print(f"Restored {moved}{made}. Stop the bot that the file is from before you start this one.")
    return 0


def _restore_backup(settings: Settings) -> int:
    """Put the newest backup of the database in its place, while no bot runs."""
    with DataFolder(settings) as folder:
        print(folder.restore_backup())
    return 0


def _supervise(settings: Settings, count: int, environment: Mapping[str, str]) -> int:
    """Run so many processes of the bot, which share its servers."""
    if settings.discord_token is None:
        print(_HOW_TO_START, file=sys.stderr)
        return 2
    if count > 1 and file_of(address(settings.database_address, settings.data_dir)) is not None:
        print(
            "Several processes need PostgreSQL, because a file of SQLite is for one. Set DATABASE_URL to "
            "postgresql://…, or leave --processes out.",
            file=sys.stderr,
        )
        return 2
    logs.set_up(settings.log_level, settings.log_format, secrets=settings.secrets)

    async def supervise() -> int:
        stop = stop_on_signals(asyncio.get_running_loop())
        return await Supervisor(count, environment, settings.data_dir.absolute()).run(stop)

    return asyncio.run(supervise())


def _run(settings: Settings) -> int:
    if settings.discord_token is None:
        print(_HOW_TO_START, file=sys.stderr)
        return 2
    logs.set_up(settings.log_level, settings.log_format, secrets=settings.secrets)
    for path in files_others_can_read():
        log.warning(
            "%s holds a secret, and other users of this machine can read it: chmod 600 %s", path, path
        )
    _use_all_descriptors()
    token = settings.discord_token.reveal()
    with DataFolder(settings, shared=True) as folder:
        served = settings.metrics_address
        if served is not None and served.port:  # each process has its own
            served = replace(served, port=served.port + folder.number - 1)
        settings = replace(settings, data_dir=folder.path, metrics_address=served)
        obstacle = asyncio.run(_run_until_signalled(settings, token, folder.starts))
    if obstacle is None:
        return 0
    print(obstacle.sentence, file=sys.stderr)
    return obstacle.status


def _use_all_descriptors() -> None:
    """Let the process have as many files and connections as its user may have: a voice channel takes three.

    Most systems set 1,024 for programs that cannot deal with more.
    """
    if sys.platform == "win32":  # it has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    with suppress(OSError, ValueError):  # macOS has another limit besides
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


async def _run_until_signalled(settings: Settings, token: str, starts: StartTimes) -> Obstacle | None:
    loop = asyncio.get_running_loop()
    logs.watch_loop(loop)
    stop = stop_on_signals(loop)
    async with Monitor(settings.metrics_address) as monitor, StatusSocket(settings.data_dir, monitor):
        return await run_until_stopped(settings, token, stop, starts=starts, waits=Waits(), monitor=monitor)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bot", description="A Discord bot that says things.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--processes",
        type=_number_of_processes,
        metavar="N",
        help="run N processes that share the servers; they need PostgreSQL",
    )
    commands = parser.add_subparsers(dest="command", title="commands", metavar="")
    checking = commands.add_parser("check", help="say what works, what is missing, and how to mend it")
    checking.add_argument(
        "--speak", action="store_true", help="have the TTS gateway make one sentence, which may cost a call"
    )
    commands.add_parser("has-token", help="exit 0 if a Discord token is set, 1 if not")
    commands.add_parser("healthy", help="exit 0 if the running bot is connected, 1 if not")
    telling = commands.add_parser("status", help="say what the running bot does now")
    telling.add_argument("--json", action="store_true", help="all of it, for programs")
    commands.add_parser("restore-backup", help="put the newest backup in the place of a damaged database")
    for name, what in (
        ("backup", "write everything that is kept into one file, also while the bot runs"),
        ("restore", "put such a file into an empty DATA_DIR, and an empty database"),
    ):
        moving = commands.add_parser(name, help=what)
        moving.add_argument("file", type=Path, metavar="FILE", help="a zip; - stands for a pipe")
    erasing = commands.add_parser(
        "delete-everything",
        help="delete all that is kept, and the messages with recordings, while no bot runs",
    )
    erasing.add_argument("--yes", action="store_true", help="do not ask")
    erasing.add_argument("--leave-posts", action="store_true", help="leave the messages in Discord")
    _add_voice_commands(commands)
    return parser


def _number_of_processes(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and 1 <= int(word) <= MAX_PROCESSES):
        raise argparse.ArgumentTypeError(f"{word!r} is not a number from 1 to {MAX_PROCESSES}")
    return int(word)


def _snowflake(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and 0 < int(word) < 2**63):
        raise argparse.ArgumentTypeError(f"{word!r} is not an id. Discord copies one for you: Copy ID")
    return int(word)


def _add_voice_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export = commands.add_parser("export-voice", help="write a saved voice into a file")
    export.add_argument("name", help="its name")
    export.add_argument("--to", type=Path, metavar="FILE", help="where to; named after the voice if not said")
    load = commands.add_parser("import-voice", help="save a voice from such a file")
    load.add_argument("file", type=Path)
    load.add_argument(
        "--owner", type=_snowflake, required=True, metavar="ID", help="the member it will belong to"
    )
    load.add_argument("--trust", action="store_true", help="take the word of a file from another database")
    for parser in (export, load):
        parser.add_argument(
            "--guild", type=_snowflake, required=True, metavar="ID", help="the id of the server"
        )


if __name__ == "__main__":
    sys.exit(main())
