"""Tells the languages of the Latin script apart, by their commonest words and their own letters.

Small and honest: a greeting is enough, a name or "lol ok" is not. Without evidence the answer is English.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

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
