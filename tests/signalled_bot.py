"""A process for tests: the bot as `python -m bot` runs it, in a rehearsal, with one command under way.

Prints READY when Alice sits in voice with the bot and waits for speech that never comes; then, at the end,
what she sees.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bot.__main__ import run, stop_on_signals
from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.faulty_tts_gateway.faults import Hold
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.faulty_tts_gateway.server import create_faulty_app
from rehearsal.server import Rehearsal
from tests.scenes import Stage
from tts_gateway.engines.offline import OfflineEngine
from tts_gateway.server import serving


async def main(data_dir: Path) -> None:
    faults = FaultScript()
    faults.every_post = Hold()
    app = create_faulty_app(OfflineEngine(), faults)
    async with Rehearsal() as rehearsal, serving(app) as tts_base_url:
        stage = Stage(rehearsal)
        await stage.alice.join(stage.perch)
        settings = Settings(tts_base_url=tts_base_url, data_dir=data_dir, sound_process="off")
        bot = SpeechBot(settings, connector=rehearsal.connector())
        stop = stop_on_signals(asyncio.get_running_loop())
        running = asyncio.create_task(run(bot, rehearsal.token, stop))
        await bot.heart_has_beaten.wait()
        answer = await stage.alice.slash(stage.general, "speak", text="Hello", output="both")
        await faults.received(posts=1)
        print("READY", flush=True)
        await running
        print("answer:", answer.content)
        print("voice:", stage.guild.bot_channel)


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(Path(sys.argv[1])), 120))
