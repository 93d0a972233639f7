"""Voice design offline: what the words of a description change about the voice.

`(an old man, slow and deep)Hello` is VoxCPM2's syntax: half-width brackets at the very start. Words we
know change the sound, all others change nothing, and a description is never spoken.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from typing import Final

from tts_gateway.engines.espeak import VoiceSettings

_DESCRIPTION: Final = re.compile(r"\A\s*[(（]([^()（）]*)[)）]\s*(.*)", re.DOTALL)
_WORD: Final = re.compile(r"[^\W\d_]+")
_SUBJECT: Final = re.compile(rb"ISBJ(....)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Traits:
    """Factors on a voice: pitch, width of melody, vocal tract, speaking rate; ``gain_db`` on its level."""

    pitch: float = 1.0
    melody: float = 1.0
    formants: float = 1.0
    rate: float = 1.0
    gain_db: float = 0.0
    variant: str | None = None

    def __mul__(self, other: Traits) -> Traits:
        return Traits(
            pitch=self.pitch * other.pitch,
            melody=self.melody * other.melody,
            formants=self.formants * other.formants,
            rate=self.rate * other.rate,
            gain_db=self.gain_db + other.gain_db,
            variant=other.variant or self.variant,
        )

    def scaled(self, amount: float) -> Traits:
        """Return the same change, so much stronger or weaker."""
        return Traits(
            pitch=self.pitch**amount,
            melody=self.melody**amount,
            formants=self.formants**amount,
            rate=self.rate**amount,
            gain_db=self.gain_db * amount,
            variant=self.variant,
        )

    def applied(self, settings: VoiceSettings) -> VoiceSettings:
        """Return the settings with these traits, within what espeak-ng can do."""
        middle = (settings.pitch_low + settings.pitch_high) / 2 * self.pitch
        middle = min(max(middle, 62.0), 380.0)
        half = (settings.pitch_high - settings.pitch_low) / 2 * self.pitch * self.melody
        half = min(half, 0.4 * middle)
        return replace(
            settings,
            pitch_low=middle - half,
            pitch_high=middle + half,
            formants=min(max(settings.formants * self.formants, 0.75), 1.35),
            rate=min(max(settings.rate * self.rate, 0.5), 2.2),
            variant=self.variant or settings.variant,
        )


_MAN: Final = Traits(pitch=0.93, formants=0.97)
_WOMAN: Final = Traits(pitch=1.85, formants=1.13)
_CHILD: Final = Traits(pitch=2.6, formants=1.26, melody=1.2)
_OLD: Final = Traits(pitch=0.93, rate=0.82, variant="croak")
_YOUNG: Final = Traits(pitch=1.12, formants=1.04, rate=1.06)
_DEEP: Final = Traits(pitch=0.78, formants=0.90)
_HIGH: Final = Traits(pitch=1.4, formants=1.05)
_SLOW: Final = Traits(rate=0.72)
_FAST: Final = Traits(rate=1.4)
_WHISPER: Final = Traits(variant="whisper", gain_db=-6.0)
_ROBOT: Final = Traits(variant="robosoft", melody=0.3)
_LOUD: Final = Traits(gain_db=4.0, melody=1.1)
_QUIET: Final = Traits(gain_db=-8.0)
_CHEERFUL: Final = Traits(pitch=1.12, melody=1.6, rate=1.1)
_SAD: Final = Traits(pitch=0.93, melody=0.5, rate=0.8)
_ANGRY: Final = Traits(melody=1.35, rate=1.15, gain_db=3.0)
_CALM: Final = Traits(melody=0.75, rate=0.88)
_FLAT: Final = Traits(melody=0.1)

_WORDS: Final = {
    "man male men gentleman guy father mann männlich männliche männlicher homme masculin hombre "
    "masculino": _MAN,
    "woman female lady mother frau weiblich weibliche femme féminin féminine mujer femenina señora": _WOMAN,
    "boy girl child kid kind mädchen junge enfant fille garçon niño niña": _CHILD,
    "old elderly aged grandfather grandmother grandpa grandma alt alte alter alten vieux vieille viejo "
    "vieja anciano anciana": _OLD,
    "young youthful teenage teenager jung jugendlich jeune joven": _YOUNG,
    "deep low bass tief tiefe tiefer grave profond profonde profunda profundo": _DEEP,
    "high shrill squeaky hoch hohe hoher helle aigu aiguë aguda agudo": _HIGH,
    "slow slowly slower langsam langsame lent lente lentement despacio lento lenta": _SLOW,
    "fast quick quickly faster rapid hurried schnell schnelle rapide rapidement rápido rápida": _FAST,
    "whisper whispers whispering whispered flüstern flüsternd flüstert chuchote chuchotant chuchoter "
    "susurrando susurro": _WHISPER,
    "robot robotic machine android roboter robotique robótico robótica": _ROBOT,
    "loud loudly shouting shout laut laute fort forte fuerte alto": _LOUD,
    "quiet quietly soft softly leise sanft doux douce doucement suave bajito": _QUIET,
    "cheerful happy excited joyful lively energetic fröhlich glücklich lebhaft joyeux joyeuse alegre "
    "feliz": _CHEERFUL,
    "sad gloomy tired sleepy melancholic traurig müde triste fatigué cansado cansada": _SAD,
    "angry furious wütend zornig fâché colère enojado enojada": _ANGRY,
    "calm relaxed serene ruhig gelassen calme tranquilo tranquila": _CALM,
    "monotone monotonous monotonic bored monoton gelangweilt monotono": _FLAT,
}
_TRAITS: Final = {word: traits for words, traits in _WORDS.items() for word in words.split()}
_CHINESE: Final = {
    "男": _MAN, "女": _WOMAN, "孩": _CHILD, "童": _CHILD, "老": _OLD, "年轻": _YOUNG, "低": _DEEP,
    "高": _HIGH, "慢": _SLOW, "快": _FAST, "耳语": _WHISPER, "机器": _ROBOT, "大声": _LOUD, "轻声": _QUIET,
    "开心": _CHEERFUL, "快乐": _CHEERFUL, "悲伤": _SAD, "难过": _SAD, "生气": _ANGRY, "平静": _CALM,
}  # fmt: skip
_AMOUNTS: Final = {
    "very": 1.4, "extremely": 1.6, "sehr": 1.4, "très": 1.4, "muy": 1.4,
    "slightly": 0.5, "bit": 0.5, "somewhat": 0.6, "etwas": 0.5, "peu": 0.5, "poco": 0.5,
}  # fmt: skip
_NEGATIONS: Final = frozenset(("not", "no", "never", "without", "nicht", "kein", "keine", "pas", "sin"))


def without_description(text: str) -> tuple[str | None, str]:
    """Return the description in front of a text, if there is one, and the text that is to be spoken."""
    match = _DESCRIPTION.match(text)
    return (match[1], match[2]) if match else (None, text)


def description_in(recording: bytes) -> str | None:
    """Return the description that a WAV carries as its subject (LIST/INFO, ISBJ); None: it has none."""
    if recording[:4] != b"RIFF" or recording[8:12] != b"WAVE":
        return None
    place = 12
    while place + 8 <= len(recording):
        name, size = struct.unpack_from("<4sI", recording, place)
        body = recording[place + 8 : place + 8 + size]
        if name == b"LIST" and body[:4] == b"INFO":
            found = _SUBJECT.search(body)
            if found is not None:
                start, length = found.end(), int.from_bytes(found[1], "little")
                return body[start : start + length].rstrip(b"\0").decode("utf-8", "replace")
        place += 8 + size + size % 2
    return None


def traits_of(description: str) -> Traits:
    """Return what the known words of a description ask for; nothing, if there are none."""
    traits = Traits()
    amount = 1.0
    for word in _WORD.findall(description.lower()):
        if word in _NEGATIONS:
            amount = 0.0
        elif word in _AMOUNTS:
            amount = _AMOUNTS[word]
        elif word in _TRAITS:
            if amount > 0:
                traits *= _TRAITS[word].scaled(amount)
            amount = 1.0
    for sign, chinese in _CHINESE.items():
        if sign in description:
            traits *= chinese
    return traits
