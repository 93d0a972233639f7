"""sherpa: real neural voices on an ordinary processor, without an account.

Piper voices say texts, one voice for each language; Pocket TTS clones from a recording. Both run in
sherpa-onnx, in processes of their own (`sherpa_child`). How words are pronounced is espeak-ng's knowledge; it
is asked here, and the children never load it.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import math
import re
import unicodedata
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tts_gateway.engines.base import EngineDescription, EngineMissing, NotOffered, TextRefused
from tts_gateway.engines.clips import CLIP_RATE, ClipMaker
from tts_gateway.engines.descriptions import without_description
from tts_gateway.engines.espeak import Passage, Samples, phonemes
from tts_gateway.engines.guards import longest_seconds, make_guarded
from tts_gateway.engines.languages import DEFAULT_LANGUAGE, LANGUAGE_FILES, passages
from tts_gateway.engines.sound import MAX_TEXT_CHARS, OUTPUT_RATE, levelled, resampled, trimmed, wav_bytes
from tts_gateway.engines.workers import WorkerPool
from tts_gateway.models.store import Installed, ModelStore

_INSTALL: Final = (
    "the engine sherpa needs the package sherpa-onnx and a voice; type: make voices "
    "(or: pip install sherpa-onnx==2.0.1, then python -m tts_gateway models fetch piper-en-joe)"
)
_LANGUAGE_OF: Final = {file: language for language, file in LANGUAGE_FILES.items()}
_PIECE: Final = re.compile(r"(.+?)(?:(?<![,;:.!?…])([,;:.!?…]+)[\"'”’)\]]*(?=\s|$)|$)", re.DOTALL)
_ONE_WORD: Final = re.compile(r"[A-Za-z']++\W*+")
_ENDS: Final = frozenset(".!?…")
_SENTENCE_CHARS: Final = 300  # a sentence without an end is cut at its next pause
_FRAMES_A_SECOND: Final = 12.5  # Pocket's
_MOST_FRAMES: Final = (
    1_000 - 125 - 200
)  # its positions, less ten seconds of recording and a sentence's letters
_PAUSE: Final = np.zeros(int(0.08 * OUTPUT_RATE), np.float32)
_REMEMBERED_SOUNDS: Final = 10_000  # 32 bytes each
_WORKER_BYTES: Final = 1_600_000_000
_VOICE_WORKER_BYTES: Final = 400_000_000


def find_models(store: ModelStore) -> tuple[list[Installed], Installed | None]:
    """Return the Piper voices, and the Pocket model if it is there. Raises EngineMissing, StoreError."""
    if importlib.util.find_spec("sherpa_onnx") is None:
        raise EngineMissing(_INSTALL)
    voices, cloning = store.of_kind("piper"), store.of_kind("pocket")
    if not voices and not cloning:
        raise EngineMissing(
            f"the engine sherpa has no voice in {store.folder}; type: make voices "
            "(or: python -m tts_gateway models fetch piper-en-joe)"
        )
    return voices, cloning[0] if cloning else None


@dataclass(frozen=True, slots=True)
class _PiperVoice:
    language: str
    language_file: str
    symbols: frozenset[str]
    rate: int


class SherpaEngine:
    """Engine of Piper voices and, where its model is there, Pocket TTS; ``workers`` texts at once.

    A description in front of a text is not followed: saying it is not offered, cloning leaves it out.
    """

    def __init__(self, voices: Sequence[Installed], pocket: Installed | None, *, workers: int) -> None:
        self._voices = {voice.model.language: _piper_voice(voice) for voice in voices}
        self._cloning = () if pocket is None else (pocket.model.language,)
        self._clips = ClipMaker()
        self._own_sounds: OrderedDict[bytes, None] = OrderedDict()
        settings = {
            "voices": {voice.model.language: str(voice.folder) for voice in voices},
            "pocket": str(pocket.folder) if pocket else None,
        }
        self._pool = WorkerPool("tts_gateway.engines.sherpa_child", settings, workers)
        used = [*voices, *([pocket] if pocket else [])]
        self.description = EngineDescription(
            engine="sherpa",
            model=", ".join(found.model.name for found in used),
            revision=", ".join(found.revision for found in used),
            languages=tuple(sorted({*self._voices, *self._cloning})),
            cloning=self._cloning,
            places=workers,
            credit="; ".join(found.model.credit for found in used),
        )

    async def start(self) -> None:
        """Start the processes, and return when every model is loaded. Raises EngineMissing."""
        await self._pool.start()

    @property
    def process_ids(self) -> list[int]:
        """The processes of the models."""
        return self._pool.process_ids

    async def speak(self, text: str, *, cfg_value: float = 2.0, dit_steps: int = 10) -> bytes:
        """Return the text as a WAV, each language in its voice. Raises as `Engine.speak`, and NotOffered."""
        description, words = without_description(text)
        if description:
            raise NotOffered("This voice follows no description in front of the text.")
        spoken = self._in_known_languages(_checked_passages(words))
        for passage in spoken:
            if _LANGUAGE_OF[passage.language_file] not in self._voices:
                raise NotOffered("There is no voice here for the language of this text.")
        sounds = [await self._say(passage) for passage in spoken]
        pieces = [piece for sound in sounds for piece in (_PAUSE, sound)][1:]
        wav = await asyncio.to_thread(_finished_wav, np.concatenate(pieces))
        self._note_own(wav)
        return wav

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None = None) -> bytes:
        """Return the text as a WAV in the voice of the recording; no transcript is needed.

        A recording that is a sound of `speak` stands for that voice, so that the parts of a long text are
        alike. Raises as `Engine.clone` does, and NotOffered.
        """
        if hashlib.sha256(reference).digest() in self._own_sounds:
            return await self.speak(text)
        _, words = without_description(text)
        spoken = self._in_known_languages(_checked_passages(words))
        languages = {_LANGUAGE_OF[passage.language_file] for passage in spoken}
        if not languages <= set(self._cloning):
            raise NotOffered("There is no model here that clones a voice in the language of this text.")
        clip = await self._clips.clip_of(reference)
        seed = int.from_bytes(hashlib.sha256(f"{clip.digest} {words}".encode()).digest()[:4], "big") >> 2

        async def make(attempt: int) -> Samples:
            fields = {
                "text": words,
                "seed": seed + attempt,
                "rate": CLIP_RATE,
                "max_frames": most_frames(words),
            }
            answer, sound = await self._pool.call(fields, clip.samples)
            return await asyncio.to_thread(resampled, sound, int(answer["rate"]))

        sound = await make_guarded(make, rate=OUTPUT_RATE, text=words)
        return await asyncio.to_thread(_finished_wav, sound)

    async def aclose(self) -> None:
        """End the processes."""
        await self._pool.aclose()

    def _in_known_languages(self, spoken: list[Passage]) -> list[Passage]:
        """Return the passages; a single plain word, which is of many languages, as one of the default's."""
        if len(spoken) == 1 and _ONE_WORD.fullmatch(spoken[0].text):
            return [Passage(LANGUAGE_FILES[DEFAULT_LANGUAGE], spoken[0].text)]
        return spoken

    def _note_own(self, wav: bytes) -> None:
        self._own_sounds[hashlib.sha256(wav).digest()] = None
        if len(self._own_sounds) > _REMEMBERED_SOUNDS:
            self._own_sounds.popitem(last=False)

    async def _say(self, passage: Passage) -> Samples:
        language = _LANGUAGE_OF[passage.language_file]
        voice = self._voices[language]
        sentences = await asyncio.to_thread(symbols_of, passage.text, voice.language_file, voice.symbols)
        if not sentences:
            raise TextRefused("there is nothing in the text that can be spoken")

        async def make(_attempt: int) -> Samples:  # the noise in it is another one each time
            answer, sound = await self._pool.call({"language": language, "sentences": sentences})
            return trimmed(await asyncio.to_thread(resampled, sound, int(answer["rate"])))

        return await make_guarded(make, rate=OUTPUT_RATE, text=passage.text)


def worker_bytes(pocket: Installed | None) -> int:
    """Return about how much memory a process takes."""
    return _VOICE_WORKER_BYTES if pocket is None else _WORKER_BYTES


def most_frames(words: str) -> int:
    """Return how long a sentence of ``words`` may become in Pocket, which is stopped there.

    Past its last position it fails instead, and nothing is tried with another seed.
    """
    return min(math.ceil(longest_seconds(words) * _FRAMES_A_SECOND), _MOST_FRAMES)


def symbols_of(text: str, language_file: str, known: frozenset[str]) -> list[list[int]]:
    """Return how ``text`` is pronounced: sentences of code points, ``known`` symbols only. Blocks."""
    sentences: list[list[int]] = []
    sentence = ""
    for match in _PIECE.finditer(text):
        said, mark = phonemes(match[1].strip(), language_file).strip(), (match[2] or "")[:1]
        mark = "." if mark == "…" else mark
        if said:
            sentence += (" " if sentence else "") + said + mark
        if sentence and (mark in _ENDS or len(sentence) > _SENTENCE_CHARS) and mark:
            sentences.append(_code_points(sentence, known))
            sentence = ""
    if sentence:
        sentences.append(_code_points(sentence, known))
    return [found for found in sentences if found]


def _code_points(sentence: str, known: frozenset[str]) -> list[int]:
    return [ord(symbol) for symbol in unicodedata.normalize("NFD", sentence) if symbol in known]


def _piper_voice(found: Installed) -> _PiperVoice:
    facts = json.loads((found.folder / "voice.json").read_text("utf-8"))
    language = found.model.language
    wanted = str(facts["espeak"]["voice"]).lower()
    ours = LANGUAGE_FILES[language]
    parent = Path(ours).parent.as_posix()
    file = f"{parent}/{wanted}" if wanted != Path(ours).name.lower() else ours
    return _PiperVoice(language, file, frozenset(facts["phoneme_id_map"]), int(facts["audio"]["sample_rate"]))


def _checked_passages(words: str) -> list[Passage]:
    if len(words) > MAX_TEXT_CHARS:
        raise TextRefused(f"the text is longer than {MAX_TEXT_CHARS} characters")
    found = passages(words)
    if not found:
        raise TextRefused("there is nothing in the text that can be spoken")
    return found


def _finished_wav(sound: Samples) -> bytes:
    return wav_bytes(levelled(sound))
