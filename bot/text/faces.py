"""Faces made of characters: ``:-)``, ``(╯°□°）╯︵ ┻━┻``, ``m(_ _)m``. A voice says nothing for them."""

from __future__ import annotations

import re
from typing import Final

from bot.text.characters import pattern

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
_LETTER = pattern(r"\p{L}")
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
    if _LETTER.search(words) or any(letter.isdecimal() for letter in content):
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
