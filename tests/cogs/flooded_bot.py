"""A process for tests: the bot in a rehearsal, and one member with many commands on one large recording.

Arguments: a folder for its data, the recording, how many commands. Prints how many megabytes the process
needed at most beyond what it holds idle, and the sentences that were answered, each with how often. The
rehearsal is in the process too, with the other end of every connection, so the bot needs less than that.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

from bot.allocator import give_large_blocks_back, keep_read_buffers_small
from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.answers import AnswerState
from rehearsal.cdn import SentFile
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.server import Rehearsal
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.cogs.sounds import HIGH, recording
from tests.running_bot import attending
from tests.scenes import DEADLINE, Scene


async def main(data_dir: Path, large: SentFile, count: int) -> None:
    async with AsyncExitStack() as parts:
        rehearsal = await parts.enter_async_context(Rehearsal())
        rehearsal.directory.privileged_intents = INTENT_MESSAGE_CONTENT
        scene = Scene(rehearsal, FaultScript())
        settings = Settings(tts_base_url="http://127.0.0.1:9", data_dir=data_dir, sound_process="off")
        bot = SpeechBot(settings, connector=rehearsal.connector())
        scene.bot = await parts.enter_async_context(attending(bot, rehearsal))
        await scene.let_clone(scene.alice)
        small = await _said(scene, SentFile("small.wav", recording("wav", HIGH)))
        await _answered(scene, small, 1)  # from here on everything is loaded
        link = await _said(scene, large)
        idle = _megabytes("VmRSS")
        _begin_the_peak_anew()
        answers = await _answered(scene, link, count)
        print(json.dumps({"more": _megabytes("VmHWM") - idle, "answers": answers}))


async def _said(scene: Scene, file: SentFile) -> str:
    message = await scene.alice.say(scene.general, "me", files=[file])
    return f"https://discord.com/channels/{scene.guild.id}/{scene.general.id}/{message.id}"


async def _answered(scene: Scene, link: str, count: int) -> Counter[str]:
    """Let Alice type so many commands at once, of both kinds, and return what she reads."""
    async with asyncio.TaskGroup() as typing:
        tasks = [typing.create_task(_typed(scene, link, number)) for number in range(count)]
    return Counter(task.result() for task in tasks)


async def _typed(scene: Scene, link: str, number: int) -> str:
    if number % 2:
        answer = await scene.alice.slash(scene.general, "voice save", name=f"Voice {number}", message=link)
    else:
        answer = await scene.alice.slash(scene.general, "clone", text="Hello", message=link)
    await answer.until(
        lambda shown: (
            shown.state is AnswerState.FAILED
            or (shown.state is AnswerState.REPLIED and shown.content != "" and shown.content[-1] != "…")
        ),
        timeout=4 * DEADLINE,
    )
    return answer.content.partition("\n")[0]


def _begin_the_peak_anew() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # see proc_pid_clear_refs(5)


def _megabytes(name: str) -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) / 1024


if __name__ == "__main__":
    give_large_blocks_back()
    keep_read_buffers_small()
    file = Path(sys.argv[2])
    sent = SentFile(file.name, file.read_bytes())
    asyncio.run(asyncio.wait_for(main(Path(sys.argv[1]), sent, int(sys.argv[3])), 240))
