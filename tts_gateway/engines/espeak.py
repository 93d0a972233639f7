"""espeak-ng as one blocking function: passages in, samples out.

espeak-ng is GPL-3.0-or-later, the rest of Myna is MIT. That is why the library is loaded here, in
the TTS gateway's own process, and nothing of it ever enters the bot's: the two speak HTTP.

The library keeps its state in global variables, so one call runs at a time. Some of that state (the
phase of the pitch flutter, the noise of breath) outlives a call and even a re-initialisation; the same
text would sound a little different after other texts. So the library is loaded afresh for every call,
which takes under a millisecond, and equal calls give equal samples.
"""

from __future__ import annotations

import _ctypes
import ctypes
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import espeakng_loader
import numpy as np
import numpy.typing as npt

from tts_gateway.engines.base import EngineError

Samples = npt.NDArray[np.float32]
"""Mono sound, full scale at ±1."""

SAMPLE_RATE: Final = 22_050
"""What espeak-ng 1.52 makes, in samples per second."""

WORDS_PER_MINUTE: Final = 175
"""espeak-ng's own default speaking rate."""

_SYNCHRONOUS: Final = 2  # espeak_AUDIO_OUTPUT: samples go to the callback, in the calling thread
_DO_NOT_EXIT: Final = 0x8000  # espeakINITIALIZE_DONT_EXIT: a missing data folder must not end our process
_UTF8: Final = 1  # espeakCHARS_UTF8; neither SSML nor phoneme codes are switched on
_RATE: Final = 1  # espeakRATE
_IPA: Final = 0x02  # espeakPHONEMES_IPA
_SWITCH: Final = re.compile(r"\([\w-]*\)")  # `(en)`: the language changes here
_DEFAULT_PITCH: Final = 82.0  # at this `pitch` attribute espeak leaves the formants alone
_FORMANTS: Final = 9
_CALLBACK: Final = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
_FORMANT_LINE: Final = re.compile(r"formant\s+(\d)\s+(\d+)(.*)")
_library_in_use = threading.Lock()


class SoundTooLongError(EngineError):
    """The passages would sound longer than the caller allows; synthesis was stopped there."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of text and the espeak-ng language file that reads it, such as ``gmw/de``."""

    language_file: str
    text: str


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """How espeak-ng is to sound.

    ``pitch_low`` and ``pitch_high`` (Hz) bound the melody; ``formants`` scales the vocal tract (1.0 = as
    delivered, above = smaller head); ``rate`` multiplies the speaking rate; ``variant`` names one of
    espeak-ng's `!v` files whose timbre is taken as the base.
    """

    pitch_low: float = 82.0
    pitch_high: float = 118.0
    formants: float = 1.0
    rate: float = 1.0
    variant: str | None = None


def say(passages: Sequence[Passage], settings: VoiceSettings, *, max_seconds: float) -> list[Samples]:
    """Return the sound of each passage at ``SAMPLE_RATE``. Blocks; call it in a worker thread.

    Raises EngineError when espeak-ng cannot be used or knows no such language, and SoundTooLongError when
    all passages together exceed ``max_seconds``.
    """
    try:
        with _library_in_use, tempfile.TemporaryDirectory(prefix="myna-voice-") as folder:
            return _say(passages, settings, Path(folder) / "voice", int(max_seconds * SAMPLE_RATE))
    except OSError as error:
        raise EngineError(f"espeak-ng or its data cannot be used: {error.strerror or error}") from error


def _say(passages: Sequence[Passage], settings: VoiceSettings, file: Path, left: int) -> list[Samples]:
    sounds: list[Samples] = []
    for passage in passages:
        with _loaded_library() as library:
            _set_voice(library, file, passage.language_file, settings)
            sounds.append(_synthesize(library, passage.text, max_samples=left))
        left -= len(sounds[-1])
    return sounds


def phonemes(text: str, language_file: str) -> str:
    """Return how ``text`` is pronounced, in the International Phonetic Alphabet. Blocks.

    What espeak-ng reads in another language than the rest is not marked. Raises EngineError as `say` does.
    """
    try:
        with (
            _library_in_use,
            tempfile.TemporaryDirectory(prefix="myna-voice-") as folder,
            _loaded_library() as library,
        ):
            _set_voice(library, Path(folder) / "voice", language_file, VoiceSettings())
            library.espeak_TextToPhonemes.restype = ctypes.c_char_p
            utf8 = ctypes.c_char_p(text.encode("utf-8", errors="ignore"))
            left = ctypes.cast(utf8, ctypes.c_void_p)
            clauses: list[str] = []
            while left.value:
                found = library.espeak_TextToPhonemes(ctypes.byref(left), _UTF8, _IPA)
                clauses.append((found or b"").decode("utf-8", "replace"))
            return _SWITCH.sub("", " ".join(filter(None, clauses)))
    except OSError as error:
        raise EngineError(f"espeak-ng or its data cannot be used: {error.strerror or error}") from error


@contextmanager
def _loaded_library() -> Iterator[Any]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        data = str(espeakng_loader.get_data_path()).encode()
        if library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DO_NOT_EXIT) != SAMPLE_RATE:
            raise EngineError("espeak-ng found no usable voice data")
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # it took the time of day for the noise of breath
        yield library
    finally:
        library.espeak_Terminate()
        _unload(library._handle)


def _unload(handle: int) -> None:
    # Where the system keeps a library loaded (musl), all that is lost is that equal calls are equal.
    if sys.platform == "win32":
        _ctypes.FreeLibrary(handle)
    else:
        _ctypes.dlclose(handle)


def _set_voice(library: Any, file: Path, language_file: str, settings: VoiceSettings) -> None:
    # A complete voice file of ours instead of a name: espeak_SetVoiceByName keeps the old voice in silence
    # when it does not know the new one, and takes its variants only from the installed data.
    file.write_text(_voice_file(language_file, settings), encoding="utf-8")
    status = library.espeak_ng_SetVoiceByFile(str(file).encode())
    if status != 0:
        raise EngineError(f"espeak-ng refused the voice for {language_file} (status {status:#x})")
    words_per_minute = round(min(max(WORDS_PER_MINUTE * settings.rate, 80), 450))
    if library.espeak_SetParameter(_RATE, words_per_minute, 0) != 0:
        raise EngineError(f"espeak-ng refused a rate of {words_per_minute} words per minute")


def _voice_file(language_file: str, settings: VoiceSettings) -> str:
    data = Path(espeakng_loader.get_data_path())
    try:
        lines = (data / "lang" / language_file).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise EngineError(f"espeak-ng has no language {language_file}") from error
    low = max(settings.pitch_low, 20.0)
    high = max(settings.pitch_high, low)
    # The pitch attribute shifts the formants too, by a quarter of its deviation; undone here, so that
    # pitch and vocal tract are set apart from each other.
    scale = settings.formants / (1 + (low - _DEFAULT_PITCH) / _DEFAULT_PITCH / 4)
    lines += _timbre_lines(data, settings.variant, scale)
    lines.append(f"pitch {low:.0f} {high:.0f}")
    return "\n".join(lines) + "\n"


def _timbre_lines(data: Path, variant: str | None, scale: float) -> list[str]:
    formants = dict.fromkeys(range(_FORMANTS), (100.0, ""))
    lines: list[str] = []
    if variant is not None:
        for line in (data / "voices" / "!v" / variant).read_text(encoding="utf-8").splitlines():
            if match := _FORMANT_LINE.match(line):
                formants[int(match[1])] = (float(match[2]), match[3])
            elif line.split(" ")[0] not in ("language", "name", "gender", "pitch"):
                lines.append(line)
    return lines + [f"formant {n} {f * scale:.0f}{rest}" for n, (f, rest) in formants.items()]


def _synthesize(library: Any, text: str, *, max_samples: int) -> Samples:
    pieces: list[bytes] = []
    collected = 0

    def collect(wave: Any, count: int, _events: object) -> int:
        nonlocal collected
        if wave and count > 0:
            pieces.append(ctypes.string_at(wave, 2 * count))
            collected += count
        return int(collected > max_samples)  # 1 stops the synthesis

    callback: Callable[..., int] = _CALLBACK(collect)
    library.espeak_SetSynthCallback(callback)
    utf8 = text.encode("utf-8", errors="ignore")
    status = library.espeak_Synth(utf8, ctypes.c_size_t(len(utf8) + 1), 0, 1, 0, _UTF8, None, None)
    if collected > max_samples:
        raise SoundTooLongError("the sound is longer than allowed")
    if status != 0:
        raise EngineError(f"espeak-ng failed to speak (status {status})")
    return np.frombuffer(b"".join(pieces), dtype="<i2").astype(np.float32) / np.float32(32768)
