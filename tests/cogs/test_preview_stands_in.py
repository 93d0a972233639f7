"""A TTS gateway whose engine does not do everything: members read where the preview voice stood in."""

from __future__ import annotations

from pathlib import Path

from rehearsal.answers import Answer
from tests.fakes.babble_engine import BabbleEngine
from tests.scenes import Scene, file_of, open_scene
from tts_gateway.engines.base import EngineDescription, NotOffered


class PlainEngine(BabbleEngine):
    async def speak(self, text: str, *, cfg_value: float, dit_steps: int) -> bytes:
        if text.startswith("("):
            raise NotOffered("This voice follows no description.")
        return await super().speak(text, cfg_value=cfg_value, dit_steps=dit_steps)


_SLOW = {"style": "slow"}


async def _said(scene: Scene, **options: str) -> Answer:
    answer = await scene.speak("Good morning to you", **options)
    await file_of(answer)
    return answer


async def test_only_answers_that_the_preview_made_say_so_and_they_are_not_kept(tmp_path: Path) -> None:
    about = EngineDescription(engine="sherpa")
    async with open_scene(tmp_path, PlainEngine(), stand_in=BabbleEngine(), about=about) as scene:
        plain, styled, again = [await _said(scene, **options) for options in ({}, _SLOW, _SLOW)]
        asked = len(scene.faults.requests)

    assert "preview" not in plain.content
    assert styled.content.endswith("s · offline preview voice")
    assert again.content.endswith("s · offline preview voice")
    assert asked >= 3


async def test_where_no_voice_is_cloned_the_engine_s_own_one_is_the_default(tmp_path: Path) -> None:
    async with open_scene(tmp_path, BabbleEngine()) as scene:
        await _said(scene)
        scene.bot.resolver._clones = False
        await _said(scene)

    starter, own = scene.asked[0], scene.asked[-1]
    assert "reference_audio_url" in starter
    assert "reference_audio_url" not in own
