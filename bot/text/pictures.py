"""Pictures in a text: emoji in words, in the language of the message, and faces made of characters, unsaid.

The names are CLDR's: those of the `emoji` package where it has the language, else those in ``emoji_names/``.
Those are the ``tts`` names of CLDR 48.2 (npm package cldr-annotations-full), with its licence beside them.
Flags are the names of their countries, from Babel. A face is like ``:-)``, ``(╯°□°）╯︵ ┻━┻`` or ``m(_ _)m``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

import emoji
from babel import Locale

from bot.text.characters import pattern
from bot.text.languages import ENGLISH, UNKNOWN
from bot.text.words import WORDS

MAX_NAMED: Final = 3
"""Emoji named in one text; the others are not said. Each is said once, however often it is shown."""

_MAX_RUN: Final = 200  # characters; the longest emoji has ten

_PART = r"\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}"
_EMOJI = pattern(rf"[{_PART}][{_PART}\u200D\uFE0F\u2640\u2642\U000E0020-\U000E007F]*+|[0-9#*]\uFE0F?\u20E3")
_BY_NAME = pattern(r"(?<![\w:]):(?P<name>[\w+-]{2,32}):(?![\w:])")
_CUSTOM = pattern(r"<a?:\w{1,32}:\d{1,20}>")
_SKIN_TONE = pattern(r"_?(?:medium[-_])?(?:light|medium|dark)_skin_tone")
_TONE = pattern(r"\p{Emoji_Modifier}")
_COUNTRY = pattern(r"[\U0001F1E6-\U0001F1FF]{2}")
_KEYCAP = pattern(r"(?P<key>[0-9#*])\uFE0F?\u20E3")
_INITIALS = pattern(r"\p{Regional_Indicator}++")
_CAMEL = pattern(r"(?<=\p{Ll})(?=\p{Lu})")
_NOT_A_WORD = pattern(r"[^\p{L}\p{M}\p{N}'&.-]+")
_LEFT_OVER = pattern(r"[\uFE0F\u20E3]|(?<![\p{L}\p{M}])\u200D|\u200D(?![\p{L}\p{M}])|[\U000E0020-\U000E007F]")
_LEGAL = pattern(r"[™®©]\uFE0F?+")
_STARS = pattern(r"(?P<full>[★⭐]{1,5}+)(?P<empty>[☆✩✰]{0,5}+)(?![★⭐☆])")
_FIRST_LETTER: Final = ord("🇦")
_A_LETTER: Final = dict(zip("🅰🅱🅾🅿Ⓜ", "ABOPM", strict=True))
_LETTER = pattern(r"[🅰🅱🅾🅿Ⓜ]\uFE0F?+")


def name_emoji(text: str, language: str = ENGLISH) -> str:
    """Return ``text`` with its emoji in words, without skin tones: both 😀 and ``:name:``.

    Letters and numbers in boxes are letters and numbers, and a row of stars is how many of how many.
    """
    spoken = _Spoken(language)
    text = _BY_NAME.sub(lambda match: spoken.say(spoken.official(match["name"])), text)
    if not text.isascii():
        text = _LEGAL.sub("", text)
        text = _STARS.sub(lambda match: _stars(match["full"], match["empty"], language), text)
        text = _LETTER.sub(lambda match: _A_LETTER[match[0][0]], text)
        text = _INITIALS.sub(lambda match: _initials(match[0]), text)
    text = _EMOJI.sub(lambda match: spoken.say_all(match[0]), text)
    return _LEFT_OVER.sub("", text)


def drop_emoji(text: str) -> str:
    """Return ``text`` with a space for each emoji, also a server's own; letters and digits in boxes stay."""
    text = _CUSTOM.sub(" ", _BY_NAME.sub(lambda match: " " if _is_emoji(match["name"]) else match[0], text))
    if text.isascii():
        return text
    return _LEFT_OVER.sub(
        "", _EMOJI.sub(lambda match: match[0] if _KEYCAP.fullmatch(match[0]) else " ", text)
    )


def _is_emoji(short_name: str) -> bool:
    return emoji.is_emoji(emoji.emojize(f":{short_name}:", language="alias"))


def _stars(full: str, empty: str, language: str) -> str:
    if not empty and full[0] == "⭐" and len(full) < 5:  # an ornament, if not of five
        return full
    return f" {WORDS[language].stars.format(len(full), max(5, len(full) + len(empty)))} "


def _initials(run: str) -> str:
    """Return the flags in a run of regional letters, or its letters where not all of it is flags."""
    flags = [run[index : index + 2] for index in range(0, len(run), 2)]
    if all(_territory(flag) for flag in flags):
        return run
    return "".join(_latin(letter) for letter in run)


def _latin(letter: str) -> str:
    return chr(ord(letter) - _FIRST_LETTER + ord("A"))


def _territory(flag: str, language: str = ENGLISH) -> str:
    """Return the name of the country whose flag it is; empty if there is none."""
    code = "".join(_latin(letter) for letter in flag)
    if len(code) != 2 or not emoji.is_emoji(flag):
        return ""
    return str(Locale.parse(language or ENGLISH).territories.get(code, ""))


class _Spoken:
    """The emoji of one text that were said already, and their names in its language."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._names: set[str] = set()

    def say(self, name: str) -> str:
        """Return the words for an emoji, between spaces; only a space when it is not to be said."""
        name = _in_words(name)
        if name.casefold() in self._names or len(self._names) >= MAX_NAMED:
            return " "
        if name:
            self._names.add(name.casefold())
        return f" {name} "

    def say_all(self, chars: str) -> str:
        """Return the words for a run of emoji."""
        # The package looks at every character in Python, so it sees only emoji, and not a wall of them.
        return emoji.replace_emoji(chars[:_MAX_RUN], lambda one, _: self.say(_name(one, self._language)))

    def official(self, short_name: str) -> str:
        """Return the name of the emoji Discord calls ``short_name``; a server's own is called as it is."""
        chars = emoji.emojize(f":{short_name}:", language="alias")
        return _name(chars, self._language) if emoji.is_emoji(chars) else _CAMEL.sub(" ", short_name)


def _name(chars: str, language: str) -> str:
    """Return the name of one emoji; empty where the language has none for it."""
    if keycap := _KEYCAP.fullmatch(chars):
        return keycap["key"]
    if _COUNTRY.fullmatch(chars):
        country = _territory(chars, language)
        return f"flag of {country}" if language == ENGLISH else country
    if language == ENGLISH:
        return _SKIN_TONE.sub("", emoji.EMOJI_DATA[chars]["en"])
    if language == UNKNOWN:
        return ""
    names = _names_in(language)
    plain = _TONE.sub("", chars).replace("\ufe0f", "")
    return names.get(plain) or names.get(plain.partition("\u200d")[0], "")


@cache
def _names_in(language: str) -> Mapping[str, str]:
    """Return the names of all emoji without skin tones and variation selectors, read at the first use."""
    if language not in emoji.LANGUAGES:
        text = resources.files("bot.text").joinpath("emoji_names", f"{language}.json").read_text("utf-8")
        names: dict[str, str] = json.loads(text)
        return names
    emoji.config.load_language(language)
    return {
        chars.replace("\ufe0f", ""): data[language]
        for chars, data in emoji.EMOJI_DATA.items()
        if language in data and not _TONE.search(chars)
    }


def _in_words(name: str) -> str:
    plain = name.replace("_", " ").replace("’", "'")
    return " ".join(_NOT_A_WORD.sub(" ", plain).split())


_EYES_OF_SIGNS = r"_\^\-=~<>+*@;.¬°º•●◉○⊙◕‿・･｡。´｀`˘≧≦¯￣♥♡✧☆★■◔◑◐•̀•́，、"
_EYES_OF_LETTERS = r"oO0xXTtuUnQvVಠಥಡʘᵔᵕ눈ㅠㅜㅡㅇωшಸ"
_MOUTH = r"_.o0Oω∀Ддωェロワ□▽﹏‿ʖᴥᴗ益皿人口3vwu\-~^,⌣︿̮"

_MORE_LETTERS: Final = frozenset(
    "ಠಥಡʘʖᴥᴗᵔᵕωДд益皿人口艸彡ノﾉヽっつづツﾂｼシロワェεᕕᕗლงςшσ눈ㅅㅂㅁㅇㅠㅜㅡ٩۶дಸɷəʕʔヾзШง"
)
"""Letters that are drawn with. With nothing but signs around them they are no words."""

_BRACKETED = pattern(r"[(（༼ʕ](?P<face>[^()（）༼༽ʕʔ\n]{1,20})[)）༽ʔ]")
_ARMS = r"[\\/＼／ヽヾノﾉﾉ╯╰︵┻━┳┬┴─彡づっつゞ☆♪ლ٩۶งᕕᕗ凸ヘ⊃⊂ﾟ゜∩⌒▿◞◟¯_<>～]"
_ARMS_BEFORE = pattern(rf"{_ARMS}{{1,8}}+\Z")
_ARMS_AFTER = pattern(
    rf"[^\S\n]?{_ARMS}{{1,8}}+(?:[^\S\n]?┻[━─]+┻)?|[^\S\n]?[┻┳┬┴][━─]{{1,5}}+[┻┳┬┴]"
    r"|[ozZ]{1,3}+(?![\p{L}\p{N}])"
)
_PAIRED_ARMS: Final = ("m", "d", "b", "q", "o", "Ψ", "9", "c")

_PLAIN_FACE = rf"(?P<eye>[{_EYES_OF_SIGNS}])[{_MOUTH}\s]{{1,4}}(?P=eye)|[><]\s*+[{_MOUTH}]{{1,3}}\s*+[<>]"
_LETTER_FACE = rf"(?P<letter>[{_EYES_OF_LETTERS}])(?:_{{1,3}}|[.ωДдェ益﹏ʖ‿︵])(?P=letter)"
_FACE = pattern(rf"{_PLAIN_FACE}|{_LETTER_FACE}|(?P<crying>[TQ;])[-.oO](?P=crying)")
_BARE = pattern(
    r"(?<!\S)(?:(?P<letter>[oOxXTtuUnQ0ಠಥʘ])_{1,3}+(?P<other>[oOxXTtuUnQ0ಠಥʘ])|\^[_.o-]?\^|-_{1,3}+-|>[_.]{1,3}+<"
    r"|;[_-]{1,3}+;|T[-.]T|=[_.]=|[•·◕⊙°¬][_.‿][•·◕⊙°¬]|[._]{1}_[._]|¬_¬|⌐■[_-]■|\\[oO0]/)(?!\S)"
)
_SHRUG = pattern(r"¯\\*_*[(（]ツ[)）]_*/¯")
_EMOTICON = pattern(r"(?<!\S)>?(?:[:;=]'?-?[()DPpOo3/\\|*\[\]]++|[:;]'-?[()]|8-?\)|D:|:-?[$#@])(?!\S)")
_ATTACHED = pattern(r"(?<=[\p{L}!?.,])[:;=]'?-?(?:\)++|D(?!\w))")
_BRACKETS = pattern(r"[()]++")
_ORNAMENT = pattern(r"彡|(?<![\uFF66-\uFF9D])[･ﾟ]")
_WORD = pattern(r"[\p{L}\p{N}]{2}")
_ANY_LETTER = pattern(r"\p{L}")
_ODD_SIGN = pattern(r"(?<![\p{L}\p{M}])\p{M}|[^\p{L}\p{N}\p{M}\s.,!?'\"\-:;/&%+=$€£¥*()#@~<>_…]")
_BLOCKS = pattern(r"[\u2500-\u259F\u2800-\u28FF]++")


def drop_faces(text: str, shrug: str = "") -> str:
    """Return ``text`` without faces, drawn boxes and what stands beside them; ``shrug`` stands for that one.

    A face in brackets has eyes that are alike around a mouth, or signs that no sentence has, and no word.
    """
    text = _SHRUG.sub(f" {shrug} ", text)
    text = _bracketed(text)
    text = _BARE.sub(_bare, text)
    text = _EMOTICON.sub(" ", text)
    text = "\n".join(_attached(line) for line in text.split("\n"))
    return _BLOCKS.sub(" ", _ORNAMENT.sub(" ", text))


def _bracketed(text: str) -> str:
    said: list[str] = []
    index = 0
    for match in _BRACKETED.finditer(text):
        if match.start() < index or not _is_face(match["face"]):
            continue
        before, end = text[index : match.start()], match.end()
        before, end = _without_arms(text, before, end)
        said += [before, " "]
        index = end
    return "".join([*said, text[index:]])


def _without_arms(text: str, before: str, end: int) -> tuple[str, int]:
    """Return what is in front of a face without its arm there, and where the text goes on after the other."""
    mark = before[-1:]
    if mark in _PAIRED_ARMS and text[end : end + 1] in _PAIRED_ARMS and not before[-2:-1].isalnum():
        return before[:-1], end + 1
    arm = _ARMS_BEFORE.search(before, max(0, len(before) - 8))
    after = _ARMS_AFTER.match(text, end)
    return before[: arm.start()] if arm else before, after.end() if after else end


def _is_face(content: str) -> bool:
    if content.strip() in ("ツ", "ツﾂ"):
        return True
    words = "".join(" " if letter in _MORE_LETTERS else letter for letter in content)
    found = _FACE.search(content)
    if found is not None:
        around = words[: found.start()] + " " + words[found.end() :]
        return not _WORD.search(around) and not any(letter.isdecimal() for letter in content)
    if _ANY_LETTER.search(words) or any(letter.isdecimal() for letter in content):
        return False
    return len(_ODD_SIGN.findall(content)) > 1


def _bare(match: re.Match[str]) -> str:
    letter = match["letter"]
    if letter and letter.casefold() != match["other"].casefold() and {letter, match["other"]} - set("oO0"):
        return match[0]
    return " "


def _attached(line: str) -> str:
    """Return ``line`` without faces at the end of a word, ``so:)`` and the brackets alone: ``привет))``."""
    if "(" not in line:  # else it may end what that begins
        line = _ATTACHED.sub(" ", line)
    said: list[str] = []
    index = opened = 0
    for match in _BRACKETS.finditer(line):
        brackets = match[0]
        is_behind_a_word = match.start() > 0 and not line[match.start() - 1].isspace()
        ends_nothing = set(brackets) == {")"} and not opened
        begins_nothing = set(brackets) == {"("} and not line[match.end() : match.end() + 1].strip()
        said.append(line[index : match.start()])
        index = match.end()
        if len(brackets) > 1 and is_behind_a_word and (ends_nothing or begins_nothing):
            continue
        said.append(brackets)
        opened = max(0, opened + brackets.count("(") - brackets.count(")"))
    return "".join([*said, line[index:]])
