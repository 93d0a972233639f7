"""Languages: which espeak-ng language reads which stretch of a text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tts_gateway.engines.espeak import Passage

_WORDS: Final = {
    "en": "the and is are was you i it's that this with for not have what of my he she we they hello "
    "thanks please how do will can from there who your be by an it on at all human very good "
    "morning so if or when just like",
    "de": "der die das und ist nicht ich du wir sie es ein eine mit für auf zu den dem von auch wie was "
    "guten tag morgen hallo danke bitte ja nein sind haben wird im heute geht ihnen alle menschen "
    "aus mein dein schön sehr noch nur dann wenn als",
    "fr": "le la les et est je tu il elle nous vous un une des du pas que qui dans pour avec sur "
    "bonjour merci oui ce cette c'est sont au aux ne bonsoir salut comment aujourd'hui",
    "es": "el la los las y es que de no un una en por con para está yo tú hola gracias buenos días "
    "buenas sí cómo qué muy pero son del al se lo mi amigo",
    "it": "il lo la gli e è che di non un una in per con sono io tu ciao grazie buongiorno buona sera "
    "come questo questa della del nel più ma anche si mi giorno",
    "pt": "o a os as e é que de não um uma em por com para está eu você olá obrigado obrigada bom boa "
    "dia sim como muito mas são do da no na ao tudo bem",
    "nl": "de het een en is niet ik je jij wij zij van op met voor dat dit zijn hoe wat goedemorgen "
    "hallo dank bedankt ja nee ook maar naar er aan goed dag goede worden wordt alle mensen vrij "
    "gelijk geboren veel weer dan als geen",
    "pl": "i w na nie jest się to że z do jak ja ty my dzień dobry cześć dziękuję proszę tak co ale dla "
    "są czy od po bardzo jestem",
    "sv": "och är det att en ett jag du vi inte på med för som hej tack god dag hur av till men också "
    "har den morgon kväll mycket",
    "da": "og er det at en et jeg du vi ikke på med for som hej tak god dag hvordan af til men også har "
    "den hvad meget noget mennesker hinanden hvor godt",
    "nb": "og er det at en et jeg du vi ikke på med for som hei takk god dag hvordan av til men også "
    "har den hva mye norsk bra veldig noen mennesker fødte hverandre oss",
    "fi": "ja on ei se että minä sinä hän me te he kiitos hyvää päivää huomenta moi hei mitä kuinka "
    "tämä ovat mutta myös olen kanssa kaikki ihmiset sinun minun tänään hyvin paljon",
    "tr": "ve bir bu da de ne için ile çok merhaba teşekkürler günaydın nasılsın ben sen değil var yok "
    "evet hayır ama gibi",
    "vi": "và là của có không tôi bạn xin chào cảm ơn này được một cho với người các rất",
    "id": "dan yang di ke dari ini itu tidak saya anda kamu dengan untuk selamat pagi terima kasih apa "
    "kabar adalah akan bisa sudah",
    "ms": "dan yang di ke dari ini itu tidak saya awak dengan untuk selamat pagi terima kasih apa "
    "khabar ialah akan boleh sudah",
    "sw": "na ya wa kwa ni habari asante jambo karibu mimi wewe sana leo hii si katika rafiki",
    "ro": "și este nu un o în cu pe la că mulțumesc bună ziua ce sunt eu tu pentru din",
    "cs": "a je se na že to v s ne jsem dobrý den ahoj děkuji prosím jak co ale pro být hezky dnes kde "
    "kdo dobře",
    "hu": "a az és egy nem hogy van én te jó napot köszönöm szia igen mi ez is de",
    "tl": "ang ng mga sa ako ikaw siya hindi salamat kumusta magandang umaga po ay at",
}
_LETTERS: Final = {
    "de": "äöüß", "fr": "éèêçàùâîôûœ", "es": "ñ¿¡áíóúé", "it": "àèìòù", "pt": "ãõçáéâêó", "nl": "ĳ",
    "pl": "ąćęłńśźżó", "sv": "åäö", "da": "æøå", "nb": "æøå", "fi": "äö", "tr": "ğışçöü",
    "vi": "ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ", "ro": "ăâîșțşţ", "cs": "ěščřžýáíéůúťďň",
    "hu": "őűáéíóöúü",
}  # fmt: skip
_NEAREST: Final = {"tl": "id"}  # espeak-ng has no Tagalog
_RARE: Final = Counter(letter for letters in _LETTERS.values() for letter in letters)
_SHARED: Final = Counter(word for words in _WORDS.values() for word in set(words.split()))
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def latin_language(text: str) -> str:
    """Return the language code, English when nothing speaks for another one.

    A word or letter counts the more, the fewer languages share it.
    """
    words = Counter(_WORD.findall(text.lower().replace("’", "'")))
    letters = Counter(c for c in text.lower() if c in _RARE)
    scores = {
        language: sum(words[word] / _SHARED[word] for word in set(known.split()))
        + sum(1.5 * min(letters[letter], 3) / _RARE[letter] for letter in _LETTERS.get(language, ""))
        for language, known in _WORDS.items()
    }
    best = max(scores, key=lambda language: scores[language])  # the first of equals: English leads the table
    return _NEAREST.get(best, best)


LANGUAGE_FILES: Final = {
    "am": "sem/am", "ar": "sem/ar", "be": "zle/be", "bg": "zls/bg", "bn": "inc/bn",
    "cmn": "sit/cmn", "cs": "zlw/cs", "da": "gmq/da", "de": "gmw/de", "el": "grk/el", "en": "gmw/en-US",
    "es": "roa/es", "fa": "ira/fa", "fi": "urj/fi", "fr": "roa/fr", "gu": "inc/gu", "he": "sem/he",
    "hi": "inc/hi", "hu": "urj/hu", "hy": "ine/hy", "id": "poz/id", "it": "roa/it", "ja": "jpx/ja",
    "ka": "ccs/ka", "kn": "dra/kn", "ko": "ko", "ml": "dra/ml", "ms": "poz/ms", "my": "sit/my",
    "nb": "gmq/nb", "nl": "gmw/nl", "or": "inc/or", "pa": "inc/pa", "pl": "zlw/pl", "pt": "roa/pt",
    "ro": "roa/ro", "ru": "zle/ru", "si": "inc/si", "sv": "gmq/sv", "sw": "bnt/sw", "ta": "dra/ta",
    "te": "dra/te", "th": "tai/th", "tr": "trk/tr", "uk": "zle/uk", "ur": "inc/ur", "vi": "aav/vi",
    "yue": "sit/yue",
}  # fmt: skip
"""The file of espeak-ng's `lang` folder for each language told apart here."""

DEFAULT_LANGUAGE: Final = "en"
"""Reads what no other voice reads; of VoxCPM2's thirty languages that is Khmer, letter by letter."""

_SCRIPTS: Final = {
    "ARABIC": "ar", "ARMENIAN": "hy", "BENGALI": "bn", "BOPOMOFO": "cmn", "CJK": "cmn",
    "CYRILLIC": "ru", "DEVANAGARI": "hi", "ETHIOPIC": "am", "GEORGIAN": "ka", "GREEK": "el",
    "GUJARATI": "gu", "GURMUKHI": "pa", "HANGUL": "ko", "HEBREW": "he", "HIRAGANA": "ja", "KANNADA": "kn",
    "KATAKANA": "ja", "KATAKANA-HIRAGANA": "ja", "LAO": "th", "LATIN": "latin", "MALAYALAM": "ml",
    "MYANMAR": "my", "ORIYA": "or", "SINHALA": "si", "TAMIL": "ta", "TELUGU": "te", "THAI": "th",
}  # fmt: skip
_LETTERS_OF: Final = {
    "ru": (("uk", "іїєґІЇЄҐ"), ("be", "ўЎ")),
    "ar": (("ur", "ٹڈڑےں"), ("fa", "پچژگ")),
    "cmn": (("yue", "嘅咗喺係唔冇嚟啲咁哋"),),
}
_LAO_TO_THAI: Final = {code: code - 0x80 for code in range(0x0E81, 0x0EDA)}  # the two blocks run in parallel
_JOINERS: Final = "\u200c\u200d"


@dataclass(slots=True)
class _Run:
    language: str
    text: str


def passages(text: str) -> list[Passage]:
    """Return the text in stretches of one language each; empty when nothing in it can be spoken."""
    return [Passage(LANGUAGE_FILES[run.language], run.text) for run in _runs(speakable(text))]


def speakable(text: str) -> str:
    """Return the text without what is not for reading, its fancy letters (𝓗, Ｈ, ﷺ) as plain ones.

    Control characters matter most: espeak-ng takes some of them for commands.
    """
    plain = (unicodedata.normalize("NFKC", c) if c.isalpha() else c for c in text)
    kept = (c if _is_text(c) else " " for c in unicodedata.normalize("NFC", "".join(plain)))
    return " ".join("".join(kept).split())


def _is_text(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character)[0] not in "C"


def _runs(text: str) -> list[_Run]:
    if not any(unicodedata.category(c)[0] in "LNS" for c in text):
        return []
    runs: list[_Run] = []
    for character, script in _scripts(text):
        if runs and script in (None, runs[-1].language):
            runs[-1].text += character
        elif runs and runs[-1].language == "":  # digits and signs in front belong to what follows
            runs[-1] = _Run(script or "", runs[-1].text + character)
        else:
            runs.append(_Run(script or "", character))
    return list(_told_apart(runs))


def _scripts(text: str) -> Iterator[tuple[str, str | None]]:
    for character in text:
        yield character, _script_language(character)


@lru_cache(maxsize=4096)
def _script_language(character: str) -> str | None:
    """Return the language a letter's script stands for; None for what belongs to no script."""
    if not character.isalpha():
        return None
    return _SCRIPTS.get(unicodedata.name(character, "").split(" ")[0], DEFAULT_LANGUAGE)


def _told_apart(runs: list[_Run]) -> Iterator[_Run]:
    whole = {
        language: "".join(run.text for run in runs if run.language == language) for language in _LETTERS_OF
    }
    latin = latin_language("".join(run.text for run in runs if run.language == "latin"))
    for run in runs:
        language = {"latin": latin, "": DEFAULT_LANGUAGE}.get(run.language, run.language)
        for other, letters in _LETTERS_OF.get(run.language, ()):
            if any(letter in whole[run.language] for letter in letters):
                language = other
                break
        yield _Run(language, run.text.translate(_LAO_TO_THAI))
