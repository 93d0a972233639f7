"""`python -m benchmarks.bot_process JSON`: the bot as `python -m bot` runs it, in a rehearsal elsewhere.

JSON holds ``port`` and ``ca_file`` of the rehearsal, ``token``, ``data_dir``, ``tts_base_url``; None: the bot
starts its own TTS gateway; and ``count_file``, see `benchmarks.statement_count`; None: nothing is counted.
It is ready when it is logged in, and shuts down in order when stdin closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from pathlib import Path
from typing import Any

from benchmarks.child import say_ready, stdin_closed
from benchmarks.statement_count import count_into
from bot.__main__ import run
from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.server import loopback_connector


async def _main(wishes: dict[str, Any]) -> None:
    if wishes["count_file"]:
        count_into(Path(wishes["count_file"]))
    settings = Settings(tts_base_url=wishes["tts_base_url"], data_dir=Path(wishes["data_dir"]))
    connector = loopback_connector(wishes["port"], Path(wishes["ca_file"]))
    bot, stop = SpeechBot(settings, connector=connector), asyncio.Event()
    running = asyncio.create_task(run(bot, wishes["token"], stop))
    ready = asyncio.create_task(_say_when_ready(bot))
    await asyncio.wait({running, asyncio.create_task(stdin_closed())}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    stop.set()
    await running


async def _say_when_ready(bot: SpeechBot) -> None:
    while not bot.is_closed():
        try:
            await bot.wait_until_ready()
        except RuntimeError:  # it has not begun to log in
            await asyncio.sleep(0.005)
        else:
            say_ready(threads=threading.active_count())
            return


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1])))
