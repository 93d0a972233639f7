"""The recordings the voice fit is measured on: made by espeak-ng itself, so that the truth is known.

They differ from the voice that is fitted to them in language, timbre, pitch, vocal tract and pace, and in
every word that is spoken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tts_gateway.engines.espeak import Passage, VoiceSettings, say
from tts_gateway.engines.sound import joined, levelled, resampled, wav_bytes

_TEXTS: Final = {
    "gmw/en-US": (
        "Every morning the ferry leaves the harbour at seven, with bread, letters and a handful of people.",
        "Nobody hurries here. When the fog is thick, the captain rings a bell and simply waits for the sun.",
    ),
    "gmw/de": (
        "Jeden Morgen fährt das kleine Schiff um sieben Uhr ab, mit Brot, Briefen und ein paar Leuten.",
        "Hier hat niemand Eile. Bei dichtem Nebel läutet der Kapitän eine Glocke und wartet auf die Sonne.",
    ),
    "roa/fr": (
        "Chaque matin, le petit bateau quitte le port à sept heures avec du pain, des lettres et des gens.",
        "Personne n'est pressé ici. Quand le brouillard est épais, le capitaine attend tout simplement.",
    ),
    "roa/es": (
        "Cada mañana el barco sale del puerto a las siete con pan, cartas y unas pocas personas.",
        "Aquí nadie tiene prisa. Cuando hay mucha niebla, el capitán toca la campana y espera el sol.",
    ),
    "zle/ru": (
        "Каждое утро паром выходит из гавани в семь часов, на нём хлеб, письма и несколько человек.",
        "Здесь никто не спешит. Когда туман густой, капитан звонит в колокол и ждёт солнца.",
    ),
    "zlw/pl": (
        "Każdego ranka prom wypływa z portu o siódmej, wioząc chleb, listy i garstkę ludzi.",
        "Nikt się tu nie spieszy. Kiedy mgła jest gęsta, kapitan dzwoni i po prostu czeka na słońce.",
    ),
}


@dataclass(frozen=True, slots=True)
class ReferenceVoice:
    """A speaker: the fit hears ``first_half``, the recognition test hears ``second_half`` (WAVs)."""

    name: str
    transcript: str
    first_half: bytes
    second_half: bytes


def reference_voices() -> list[ReferenceVoice]:
    """Return eighteen speakers. Blocks for a few seconds."""
    return [_voice(language, settings) for language, settings in _SPEAKERS]


def _voice(language: str, settings: VoiceSettings) -> ReferenceVoice:
    halves = [
        wav_bytes(levelled(resampled(joined(say([Passage(language, text)], settings, max_seconds=60)))))
        for text in _TEXTS[language]
    ]
    name = f"{language.rpartition('/')[2]}+{settings.variant or 'plain'} {settings.pitch_low:.0f} Hz"
    return ReferenceVoice(name, _TEXTS[language][0], halves[0], halves[1])


def _speaker(
    language: str, variant: str | None, low: float, high: float, formants: float = 1.0, rate: float = 1.0
) -> tuple[str, VoiceSettings]:
    return language, VoiceSettings(low, high, formants, rate, variant)


_SPEAKERS: Final = (
    _speaker("gmw/de", "m3", 62, 88, 0.94, 0.9),
    _speaker("gmw/de", "f2", 175, 250, 1.06),
    _speaker("gmw/de", "klatt4", 95, 130),
    _speaker("roa/fr", "f3", 150, 260, 1.0, 1.15),
    _speaker("roa/fr", "m7", 78, 120),
    _speaker("roa/fr", None, 215, 320, 1.16, 1.1),
    _speaker("roa/es", "m1", 105, 170, 1.02, 1.2),
    _speaker("roa/es", "f5", 165, 230, 1.1),
    _speaker("roa/es", "Andrea", 190, 290),
    _speaker("zle/ru", "f4", 130, 170, 0.95),
    _speaker("zle/ru", "m5", 70, 95, 0.9, 0.85),
    _speaker("zle/ru", "steph", 210, 260),
    _speaker("zlw/pl", "m8", 85, 110, 1.05),
    _speaker("zlw/pl", "linda", 180, 220, 1.0, 0.9),
    _speaker("gmw/en-US", "Alex", 92, 140, 0.97),
    _speaker("gmw/en-US", "f1", 140, 200, 1.08, 1.05),
    _speaker("gmw/en-US", "grandpa", 75, 105, 1.0, 0.8),
    _speaker("gmw/en-US", None, 270, 380, 1.2, 1.1),
)
