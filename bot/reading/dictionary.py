"""A server's dictionary: words and how they are said, applied to a text, and as a file.

It goes over text that is speakable already, once: what it puts in is not looked at again. A word counts as a
whole where its script has spaces between words. The longest wins, a server's own before those of a preset:
what people abbreviate in chats, in several languages, as it is said.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from types import MappingProxyType
from typing import Final

from bot.errors import MemberError
from bot.library.reading import DictionaryWord
from bot.limits import MAX_DICTIONARY_BYTES, MAX_DICTIONARY_WORDS, MAX_SPOKEN_CHARS, MAX_WORD_CHARS
from bot.text.characters import clean_characters, count_characters, has_words, pattern
from bot.text.pictures import name_emoji
from bot.text.speakable import speakable
from untrusted.strict_json import Json, parse

_SPACED = pattern(
    # letters of scripts that have spaces between words, and digits
    r"[[\p{L}\p{M}\p{N}_]--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]"
)


def folded(text: str) -> str:
    """Return ``text`` in small letters, each where it was."""
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def key_of(word: str) -> str:
    """Return what is the same for words that count as the same: ``GG``, ``gg`` and `` gg ``."""
    return folded(" ".join(clean_characters(word).split()))


def entry_of(word: str, spoken: str) -> DictionaryWord:
    """Return a word of a dictionary. Raises `MemberError` with the reason why it cannot be one."""
    if max(len(word), len(spoken)) > 4 * MAX_SPOKEN_CHARS:  # of what is longer nothing is read
        raise MemberError(_TOO_LONG)
    word = " ".join(clean_characters(word).split())
    said = " ".join(speakable(spoken).split())
    if not has_words(name_emoji(word)):
        raise MemberError("A dictionary needs words. Type one with a letter, a digit or an emoji in it.")
    if not has_words(said):
        raise MemberError("I can't say that. Write how the word sounds, in letters.")
    if count_characters(word) > MAX_WORD_CHARS or count_characters(said) > MAX_SPOKEN_CHARS:
        raise MemberError(_TOO_LONG)
    key = key_of(word)
    if key == folded(said):
        raise MemberError("That's how I say it anyway. Write it the way it should sound.")
    return DictionaryWord(key, word, said)


_TOO_LONG: Final = (
    f"That's too long. A word can have {MAX_WORD_CHARS} characters, and how it's said {MAX_SPOKEN_CHARS}."
)


@dataclass(frozen=True, slots=True)
class _Spoken:
    said: str
    begins_whole: bool
    ends_whole: bool


class Dictionary:
    """A server's own ``words`` and those of its ``presets``, ready to be applied to any number of texts."""

    def __init__(self, words: Iterable[DictionaryWord] = (), presets: Iterable[str] = ()) -> None:
        self._spoken: dict[str, _Spoken] = {}
        self._lengths: dict[str, list[int]] = {}  # of the words that begin with a letter, longest first
        for word in words:
            self._add(word.key, word.spoken)
            self._add(folded(speakable(word.word)), word.spoken)  # as it stands in a text that is speakable
        for name in sorted(presets):
            for typed, said in PRESETS[name].words.items() if name in PRESETS else ():
                self._add(typed, said)
        for lengths in self._lengths.values():
            lengths.sort(reverse=True)

    def __bool__(self) -> bool:
        return bool(self._spoken)

    def apply(self, text: str) -> str:
        """Return ``text``, which is speakable, with its words as they are said here."""
        if not self._spoken:
            return text
        return "".join(self._pieces(text, folded(text)))

    def _add(self, key: str, said: str) -> None:
        if not key or key in self._spoken:
            return
        self._spoken[key] = _Spoken(said, _is_spaced(key[0]), _is_spaced(key[-1]))
        lengths = self._lengths.setdefault(key[0], [])
        if len(key) not in lengths:
            lengths.append(len(key))

    def _pieces(self, text: str, small: str) -> Iterator[str]:
        start = index = 0
        is_inside = False  # a word whose letters have spaces around them
        while index < len(text):
            found = self._at(small, index, is_inside=is_inside)
            if found is None:
                is_inside = _is_spaced(text[index])
                index += 1
                continue
            said, length = found
            yield text[start:index]
            yield said
            start = index = index + length
            is_inside = False
        yield text[start:]

    def _at(self, small: str, index: int, *, is_inside: bool) -> tuple[str, int] | None:
        for length in self._lengths.get(small[index], ()):
            spoken = self._spoken.get(small[index : index + length])
            if spoken is None or (spoken.begins_whole and is_inside):
                continue
            after = small[index + length : index + length + 1]
            if not (spoken.ends_whole and after and _is_spaced(after)):
                return spoken.said, length
        return None


def _is_spaced(letter: str) -> bool:
    return letter.isalnum() or letter == "_" if letter.isascii() else _SPACED.match(letter) is not None


# -- as a file ------------------------------------------------------------------------------------

_SHAPE: Final = (
    'That file isn\'t a dictionary. I can read JSON such as {"gg": "good game"}, or CSV with two columns: '
    "the word, and how it's said."
)
_HEADING: Final = ("word", "spoken")


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file holds: ``words`` that can be used, how many cannot, and why the first of those."""

    words: tuple[DictionaryWord, ...]
    unusable: int = 0
    why: str = ""


def imported(data: bytes) -> Imported:
    """Return the words in a file of JSON or CSV. Raises `MemberError` where it is neither, or too large.

    Of a word that is in it twice the last counts.
    """
    if len(data) > MAX_DICTIONARY_BYTES:
        raise MemberError(
            f"That file is too large. A dictionary has {MAX_DICTIONARY_BYTES // 1024} KB at most."
        )
    pairs = (
        _pairs_of_json(data)
        if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
        else _pairs_of_csv(data)
    )
    if len(pairs) > 4 * MAX_DICTIONARY_WORDS:
        raise MemberError(f"That's {len(pairs):,} words, and a dictionary holds {MAX_DICTIONARY_WORDS}.")
    words: dict[str, DictionaryWord] = {}
    unusable, why = 0, ""
    for typed, said in pairs:
        try:
            word = entry_of(typed, said)
        except MemberError as error:
            unusable += 1
            why = why or str(error)
        else:
            words[word.key] = word
    if not words:
        raise MemberError(why or _SHAPE)
    return Imported(tuple(words.values()), unusable, why)


def as_json(words: Sequence[DictionaryWord]) -> bytes:
    """Return the words as `imported` reads them."""
    pairs = {word.word: word.spoken for word in words}
    return json.dumps(pairs, ensure_ascii=False, indent=1).encode()


def as_csv(words: Sequence[DictionaryWord]) -> bytes:
    """Return the words as a table that spreadsheets open, and `imported` reads."""
    table = StringIO()
    writer = csv.writer(table)
    writer.writerow(_HEADING)
    writer.writerows((_harmless(word.word), _harmless(word.spoken)) for word in words)
    return table.getvalue().encode("utf-8-sig")


def _harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in "=+-@" else cell


def _pairs_of_json(data: bytes) -> list[tuple[str, str]]:
    try:
        value = parse(data)
    except ValueError as error:
        raise MemberError(_SHAPE) from error
    rows: Iterable[Json] = [[*pair] for pair in value.items()] if isinstance(value, dict) else _rows(value)
    pairs = []
    for row in rows:
        if isinstance(row, dict):
            row = [row.get(name) for name in _HEADING]
        if not isinstance(row, list) or len(row) != 2:
            raise MemberError(_SHAPE)
        word, spoken = row
        if not isinstance(word, str) or not isinstance(spoken, str):
            raise MemberError(_SHAPE)
        pairs.append((word, spoken))
    return pairs


def _rows(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise MemberError(_SHAPE)
    return value


def _pairs_of_csv(data: bytes) -> list[tuple[str, str]]:
    try:
        text = data.decode("utf-8-sig")
        dialect = _dialect_of(text)
        rows = [row for row in csv.reader(StringIO(text, newline=""), delimiter=dialect) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise MemberError(_SHAPE) from error
    if any(len(row) != 2 for row in rows):
        raise MemberError(_SHAPE)
    pairs = [(_unguarded(word), _unguarded(spoken)) for word, spoken in rows]
    if pairs and tuple(map(str.casefold, pairs[0])) == _HEADING:
        del pairs[0]
    return pairs


def _unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:2] in tuple("=+-@") else cell


def _dialect_of(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


@dataclass(frozen=True, slots=True)
class Preset:
    """A list of abbreviations: what members call it, and how each word is said."""

    title: str
    words: Mapping[str, str]


def _preset(title: str, table: str) -> Preset:
    rows = (line.partition("=") for line in table.split("|"))
    return Preset(title, MappingProxyType({word.strip(): " ".join(said.split()) for word, _, said in rows}))


PRESETS: Final[Mapping[str, Preset]] = MappingProxyType({
    # Only what is an abbreviation and nothing else: no word that somebody may mean as it stands.
    "en": _preset(
        "English",
        """afaik=as far as I know|afk=away from keyboard|asap=as soon as possible|atm=at the moment
        |bbl=be back later|brb=be right back|btw=by the way|cya=see you|dm=direct message|dw=don't worry
        |fr=for real|ftw=for the win|fyi=for your information|gg=good game|ggwp=good game, well played
        |gj=good job|glhf=good luck, have fun|gm=good morning|gn=good night|gtg=got to go
        |hbu=how about you|hmu=hit me up|icymi=in case you missed it|idc=I don't care|idk=I don't know
        |iirc=if I recall correctly|ikr=I know, right|ily=I love you|imo=in my opinion
        |imho=in my humble opinion|irl=in real life|jk=just kidding|lmk=let me know
        |lol=laughing out loud|lmao=laughing my head off|mb=my bad|ngl=not going to lie|np=no problem
        |nvm=never mind|omg=oh my god|omw=on my way|pls=please|plz=please|ppl=people|rn=right now
        |rofl=rolling on the floor laughing|smh=shaking my head|tbf=to be fair|tbh=to be honest
        |thx=thanks|tldr=too long, didn't read|ttyl=talk to you later|ty=thank you
        |tysm=thank you so much|wb=welcome back|wdym=what do you mean|wp=well played|wtf=what the heck
        |wyd=what are you doing|yw=you're welcome""",
    ),
    "de": _preset(
        "Deutsch",
        """bd=bis dann|bg=bis gleich|bm=bis morgen|bs=bis später|ka=keine Ahnung|kb=kein Bock
        |kp=kein Plan|kv=kein Vertrauen|lg=liebe Grüße|mfg=mit freundlichen Grüßen
        |mmn=meiner Meinung nach|mom=Moment|vlg=viele liebe Grüße|vg=viele Grüße|vllt=vielleicht
        |wmd=was machst du|zb=zum Beispiel|bzw=beziehungsweise|evtl=eventuell|eig=eigentlich
        |iwas=irgendwas|iwie=irgendwie|iwann=irgendwann|iwo=irgendwo|jmd=jemand|hdl=hab dich lieb
        |gn8=gute Nacht|gm=guten Morgen|kk=alles klar""",
    ),
    "fr": _preset(
        "Français",
        """askip=à ce qu'il paraît|bcp=beaucoup|bjr=bonjour|bsr=bonsoir|càd=c'est-à-dire
        |cad=c'est-à-dire|cc=coucou|dac=d'accord|dsl=désolé|jsp=je ne sais pas|jpp=j'en peux plus
        |mdr=mort de rire|msg=message|pcq=parce que|pk=pourquoi|pq=pourquoi|pr=pour|ptdr=pété de rire
        |qqch=quelque chose|qqn=quelqu'un|rdv=rendez-vous|rtt=retour tout de suite|slt=salut
        |stp=s'il te plaît|svp=s'il vous plaît|tfk=tu fais quoi|tg=tais-toi|tjrs=toujours|tkt=t'inquiète
        |tlm=tout le monde|vrm=vraiment|jtm=je t'aime|mtn=maintenant|ajd=aujourd'hui""",
    ),
    "es": _preset(
        "Español",
        """bn=bien|cdo=cuando|finde=fin de semana|grax=gracias|mñn=mañana|msj=mensaje|npi=ni idea
        |ntp=no te preocupes|pf=por favor|pls=por favor|pq=porque|porfa=por favor|salu2=saludos
        |tb=también|tmb=también|tkm=te quiero mucho|tqm=te quiero mucho|vdd=verdad|xa=para|xd=ja ja
        |xfa=por favor|xq=porque|ntc=no te creas""",
    ),
    "pt": _preset(
        "Português",
        """abs=abraços|add=adiciona|blz=beleza|bjs=beijos|cmg=comigo|ctg=contigo|dps=depois
        |fds=fim de semana|flw=falou|hj=hoje|kd=cadê|mds=meu Deus|msg=mensagem|mt=muito|mto=muito
        |nd=nada|ngm=ninguém|obg=obrigado|pfv=por favor|pq=porque|qdo=quando|qnd=quando|sdds=saudades
        |slk=se liga|smp=sempre|tb=também|tbm=também|tlgd=tá ligado|tmj=tamo junto|vc=você|vcs=vocês
        |vdd=verdade|vlw=valeu""",
    ),
    "it": _preset(
        "Italiano",
        """cmq=comunque|cvd=come volevasi dimostrare|dv=dove|grz=grazie|msg=messaggio|nn=non|pk=perché
        |pls=per favore|prg=prego|qlc=qualche|qlcn=qualcuno|qlcs=qualcosa|qnd=quando|risp=rispondi
        |tvb=ti voglio bene|tvtb=ti voglio tanto bene|xché=perché|xke=perché|xkè=perché|xò=però
        |asp=aspetta|cs=cosa""",
    ),
    "nl": _preset(
        "Nederlands",
        """aub=alsjeblieft|bvd=bij voorbaat dank|egt=echt|hvj=hou van je|idd=inderdaad|ff=even
        |gwn=gewoon|iig=in ieder geval|ipv=in plaats van|mss=misschien|nvt=niet van toepassing
        |ofc=natuurlijk|svp=alsjeblieft|tog=toch|wrm=waarom|wss=waarschijnlijk|vgm=volgens mij
        |ivm=in verband met""",
    ),
    "pl": _preset(
        "Polski",
        """bd=będę|cb=ciebie|cn=co nowego|db=dobrze|dzk=dzięki|jbc=jakby co|kc=kocham cię|mb=może być
        |nmzc=nie ma za co|nwm=nie wiem|nw=nie wiem|nzmc=nie ma za co|oc=o co chodzi|pozdro=pozdrawiam
        |pls=proszę|pw=prywatna wiadomość|spk=spoko|szt=sztuka|tz=to znaczy|wgl=w ogóle|xd=ha ha
        |zw=zaraz wracam|zara=zaraz|jj=jasne""",
    ),
    "ru": _preset(
        "Русский",
        """др=день рождения|кст=кстати|лс=личные сообщения|мб=может быть|нзч=не за что|нз=не знаю
        |норм=нормально|ок=окей|оч=очень|пж=пожалуйста|плз=пожалуйста|пжл=пожалуйста|прив=привет
        |пон=понятно|ппц=капец|сек=секунду|спс=спасибо|спок=спокойной ночи|тк=так как|хз=не знаю
        |хор=хорошо|чд=что делаешь|чё=что|щас=сейчас|ща=сейчас|кд=перезарядка""",
    ),
    "tr": _preset(
        "Türkçe",
        """aeo=Allah'a emanet ol|as=aleyküm selam|bknz=bakınız|bi=bir|bşy=bir şey|grşrz=görüşürüz
        |hb=hoş bulduk|hg=hoş geldin|hrkt=hareket|kib=kendine iyi bak|knk=kanka|mrb=merhaba|nbr=ne haber
        |nslsn=nasılsın|sa=selamün aleyküm|slm=selam|snn=senin|tmm=tamam|tşk=teşekkürler
        |tşkler=teşekkürler|vs=vesaire|yha=ya""",
    ),
})  # fmt: skip
"""The lists that a server can switch on, by the language they are in."""
