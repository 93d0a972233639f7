"""Discord's markdown: what is shown differently is said differently, or not at all."""

from __future__ import annotations

from bot.text.patterns import ANY_CHARACTER, IGNORE_CASE, LINES, pattern

_CODE_BLOCK = pattern(r"```.*?```", ANY_CHARACTER)
_SPOILER = pattern(r"\|\|.+?\|\|", ANY_CHARACTER)
_MASKED_LINK = pattern(
    r"\[(?P<text>[^\[\]]+)\]"
    r"\(\s*+<?[a-z][a-z0-9+.-]{0,20}://[^\s<>()]*+(?:\([^\s<>()]*+\)[^\s<>()]*+)*+>?(?:\s++\"[^\"]*+\")?\s*+\)",
    IGNORE_CASE,
)
_HEADING = pattern(r"^(?:[^\S\n]*+>)*+[^\S\n]*+#{1,3}[^\S\n]++[^\n]++", LINES)
_LINE_START = pattern(
    # quote, heading, small print, list item: as often as they are nested
    r"^[^\S\n]*+(?:(?:>{1,3}|\#{1,3}|-\#|[-*•])[^\S\n]++)++",
    LINES,
)

_TIMES = pattern(r"(?<=\d) ?\*{1,2} ?(?=\d)")
_UNDERSCORE_IN_WORD = pattern(r"(?<=[^\W_])_++(?=[^\W_])")
_HEART = pattern(r"(?<![\w<])(?:<3)++(?!\w)")
_EMOTICON = pattern(r"(?<!\S)>?[:;=]'?-?[()DPpOo3/\\|*]++(?!\S)")
_COMPARISON = pattern(r"(?<=\w) ([<>]) (?=\w)")
_ABOUT = pattern(r"(?<![\w~])~(?=\d)")
_NUMBER_SIGN = pattern(r"(?<![\w#])#(?=\d)")
_SHARP = pattern(r"(?<=\b[A-Ga-g])#(?!\w)")
_SHRUG = pattern(r"¯\\*_*\(ツ\)_*/¯")
_MARKS = pattern(r"[*_`^]++|\\(?=[^\w\s])")
_WALLS = pattern(r"[|~<>#\\]++")


def read_layout(text: str) -> str:
    """Return ``text`` with code blocks and spoilers named, masked links as their words, and plain lines.

    A heading is a paragraph.
    """
    text = _CODE_BLOCK.sub(" code block ", text)
    text = _SPOILER.sub(" spoiler ", text)
    text = _MASKED_LINK.sub(r"\g<text>", text)
    return _LINE_START.sub("", _HEADING.sub("\n\\g<0>\n", text))


def drop_marks(text: str) -> str:
    """Return ``text`` without the marks of emphasis, and with the signs between numbers as words.

    Emphasis is not parsed: a mark that shows itself is no more use to a voice than one that does not.
    """
    text = _SHRUG.sub(" shrug ", text)
    text = _TIMES.sub(" times ", text)
    text = _EMOTICON.sub(" ", _HEART.sub("heart", text))
    text = _COMPARISON.sub(lambda match: " less than " if match[1] == "<" else " greater than ", text)
    text = _ABOUT.sub("about ", text)
    text = _NUMBER_SIGN.sub("number ", text)
    text = _SHARP.sub(" sharp", text)
    text = _UNDERSCORE_IN_WORD.sub(" ", text)
    return _WALLS.sub(" ", _MARKS.sub("", text))
