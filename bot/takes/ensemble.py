"""From a request to its recital: which lines there are, and who says them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot.models import Line, SpeechRequest, SpokenVoice, VoiceAccess
from bot.takes.calls import Calls
from bot.takes.experience import Experience
from bot.takes.listening import Listening
from bot.takes.one_voice import OneVoice
from bot.takes.plan import Plan
from bot.takes.recital import Recital
from bot.takes.references import SavedReference
from bot.takes.script import Script
from bot.text.segments import segmenter

SPEAKER_PAUSE_SECONDS: Final = 0.35
"""Silence between two lines: longer than after a sentence, shorter than after a paragraph."""


async def recital_of(
    request: SpeechRequest,
    calls: Calls,
    experience: Experience,
    listening: Listening,
    access: VoiceAccess | None,
) -> Recital:
    """Return the recital of ``request``, each line of it in its own voice.

    Raises ValueError when it has saved voices and no ``access`` to them.
    """
    lines = request.lines or (Line[SpokenVoice](None, request.text),)
    speakers = [line.voice or request.voice for line in lines]
    ensemble = list(dict.fromkeys(speakers))
    level: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    voices = [_voice_of(request, speaker, calls, experience, level, access) for speaker in ensemble]
    plans = await _plans([line.text for line in lines], experience)
    numbers = [ensemble.index(speaker) for speaker in speakers]
    script = Script(list(zip(numbers, plans, strict=True)), experience.speed)
    return Recital(voices, script, experience, listening)


def _voice_of(
    request: SpeechRequest,
    speaker: SpokenVoice | None,
    calls: Calls,
    experience: Experience,
    level: asyncio.Future[float],
    access: VoiceAccess | None,
) -> OneVoice:
    own = replace(request, voice=speaker, lines=())
    if speaker is None:
        return OneVoice(own, calls, experience, level)
    if access is None:
        raise ValueError("a saved voice, and no way to its recording")
    return OneVoice(replace(own, reference=None), calls, experience, level, SavedReference(speaker, access))


async def _plans(texts: Sequence[str], experience: Experience) -> list[Plan]:
    segmenters = await asyncio.gather(*map(segmenter, texts))
    pauses = [SPEAKER_PAUSE_SECONDS] * (len(texts) - 1) + [0.0]
    return [
        Plan(text, cutter, experience.speed, pause_after=pause)
        for text, cutter, pause in zip(texts, segmenters, pauses, strict=True)
    ]
