"""Names that members and strangers chose: in whatever the bot writes, each is plain text and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bot.delivery.request import SpeakRequest, credit, tags
from bot.delivery.voice_creation import Brief, Design
from bot.library.audit import AuditedVoice, Use
from bot.library.consent_rules import Consent, Request, Shares
from bot.library.voice import Kind, Scope, Sharing, Voice
from bot.models import RecordingPlace, Speech, SpeechRequest
from bot.text.labels import excerpt, one_line
from cogs.consent import question
from cogs.voice_audit import _named, _what
from cogs.voice_design import _words as _design_words
from cogs.voice_text import ago, all_about, line_of, saved
from tests.house_rules import Module, read_modules
from tests.test_architecture import ROOT

MODERATOR = 123456789012345678
HOSTILE = [
    f"<@{MODERATOR}>",
    f"<@!{MODERATOR}>",
    f"<@&{MODERATOR}>",
    f"<#{MODERATOR}>",
    "@everyone",
    "@here",
    "https://evil.example/login",
    "<https://evil.example>",
    "[Discord](https://evil.example)",
    "discord.gg/evil",
    "discord.com/invite/evil",
    "</speak:123456789012345678>",
    "<t:1700000000:R>",
    "<id:customize>",
    "<:evil:123456789012345678>",
    "**bold** __line__ ~~gone~~ ||spoiler|| `code`",
    "# Heading",
    "-# small",
    "> quote",
    "1. one",
    "a\n# b",
    "a\r\n> b",
    "a\u2028b",
    "gnp.\u202egalf",
    "\u2066a\u2069\u200f\u200eb",
    "a\u200bb\u2060c\ufeffd",
    "\u3164\u115f",
    "a\u0301\u0302\u0303\u0304\u0305\u0306\u0307",
    "\U000e0041\U000e0042",
    "a\x1b[31mb\x00",
    "\ud800",
    "name** · requested by <@1> · 1.0 s\nReal",
]
MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
_OURS = re.compile(r"<@[1-9]>|(?<!\\)\*\*|^- ", re.MULTILINE)  # what is meant to live
_ALIVE = re.compile(
    # What Discord would bring to life. A backslash in front takes the life out of a mark.
    r"(?<!\\)<(?:@|#|a?:|t:|id:|/)|@(?:everyone|here)|https?://|(?<!\\)discord\.|(?<!\\)\|\||(?<!\\)`|(?<!\\)\*\w"
    r"|(?<!\\)__|(?<!\\)~~|(?<!\\)\]\("
)
_UNSEEN = re.compile(
    "[\u061c\u115f\u1160\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\U000e0000-\U000e007f\ud800-\udfff]"
)


def assert_harmless(shown: str, name: str) -> None:
    """Assert that nothing in ``shown`` lives but what stands there with a plain name too."""
    unbroken = shown.replace("@\u200b", "")  # our own: it keeps an at sign from the word behind it
    assert not _UNSEEN.search(unbroken), f"{name!r} is shown as {shown!r}"
    assert not re.search(rf"(?<!\\)<@[!&]?{MODERATOR}", shown)
    assert not _ALIVE.search(unbroken), f"{name!r} is shown as {shown!r}"
    assert not re.search(r"^(?:#|-#|>|\d+\.) ", unbroken, re.MULTILINE)


def voice_called(name: str) -> Voice:
    return Voice(
        id="a" * 22,
        guild_id=1,
        name=name,
        owner_id=2,
        speaker_id=3,
        kind=Kind.CLONED,
        recording="0" * 64,
        seconds=5.0,
        transcript=name,
        description=name,
        sharing=Sharing.SERVER,
        role_id=None,
        member_ids=frozenset(),
        uses=0,
        created_at=MOMENT,
        last_used_at=None,
        is_frozen=False,
    )


def _sentences(name: str) -> Iterator[str]:
    """Yield every sentence that takes a name, each as it is written for a message."""
    voice, speech = voice_called(name), Speech((b"frame",) * 50)
    request = Request("a" * 22, 1, 2, 3, Consent.ASKED, 1, None, name, Shares(), MOMENT, None)
    for voices in ((voice,), (voice, voice)):
        yield credit(SpeakRequest(SpeechRequest(name), voices=voices), speech, member_id=7)
    yield credit(SpeakRequest(SpeechRequest(name), likeness=name), speech, member_id=7)
    yield saved(voice)
    yield line_of(voice, 2)
    yield all_about(voice, Scope(1, 2), None).replace(ago(MOMENT), "")
    for place in RecordingPlace:
        yield question("<@7>", request, place)
    yield _named(AuditedVoice(voice.id), voice)
    yield _what(Use(1, voice.id, 7, MOMENT, 1.0, voice_name=name))
    yield _design_words(Design("a" * 22, Brief(Scope(1, 7), name, name, "x", name), ()))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_foreign_name_is_plain_text_in_every_sentence(name: str) -> None:
    for sentence, plain in zip(_sentences(name), _sentences("Robin"), strict=True):
        assert_harmless(_OURS.sub("", sentence), name)
        assert sentence.count("\n") == plain.count("\n"), f"{name!r} begins a line in {sentence!r}"
        assert _OURS.findall(sentence) == _OURS.findall(plain)


@pytest.mark.parametrize("name", HOSTILE)
def test_in_a_file_a_foreign_name_is_one_plain_line(name: str) -> None:
    request = SpeakRequest(SpeechRequest(name), likeness=name, voices=(voice_called(name),))

    for value in tags(request, member=name).values():
        assert value.strip() == one_line(value)
        assert not _UNSEEN.search(value)


@pytest.mark.parametrize("name", HOSTILE)
def test_an_excerpt_of_an_excerpt_s_text_is_harmless_however_it_is_cut(name: str) -> None:
    for limit in (1, 2, 5, 11, 60):
        assert_harmless(f"by {excerpt(name * 9, limit)} here", name)


_FOREIGN = {"name", "display_name", "global_name", "nick", "filename", "title", "voice_name", "transcript"}
_HARMLESS = {
    # What else is called so: a file of the operator's, in a log or on the command line.
    *(
        "path.name",
        "aside.name",
        "record.name",
        "error.filename",
        "backup.name",
        "database.name",
        "file.name",
    ),
    "who.name",  # one of our own choices
    "starter.name",  # our own
    "column.name",  # of a table
    "DEFAULT_STARTER.name",
    "line.voice.name",  # of the text of a dialogue, which is an excerpt wherever it is shown
}


def _bare_names(module: Module) -> Iterator[str]:
    """Complain about foreign names in words of ours that no function has made harmless."""
    for node in module.nodes:
        values: list[ast.expr] = []
        if isinstance(node, ast.FormattedValue):
            values = [node.value]
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"
        ):
            values = node.args
        elif isinstance(node, ast.keyword) and node.arg == "label":
            values = [node.value]
        for value in values:
            bare = value.value if isinstance(value, ast.Subscript) else value
            is_foreign = isinstance(bare, ast.Attribute) and bare.attr in _FOREIGN
            if is_foreign and ast.unparse(bare) not in _HARMLESS:
                yield f"{module.name}:{value.lineno} shows {ast.unparse(value)}"
        if isinstance(node, ast.Attribute) and node.attr in ("escape_markdown", "escape_mentions"):
            yield f"{module.name}:{node.lineno} escapes with {node.attr}, and excerpt() is for that"


@pytest.mark.slow
def test_no_foreign_name_is_shown_as_it_came() -> None:
    modules = [module for name, module in read_modules(ROOT).items() if name.startswith(("bot", "cogs"))]
    complaints = [found for module in modules for found in _bare_names(module)]

    assert complaints == []


@pytest.mark.parametrize(
    "source",
    [
        "f'**{voice.name}** is here'",
        "f'for {member.display_name[:9]}'",
        "WORDS.format(voice.name)",
        "menu.add_option(label=voice.name[:100], value=voice.id)",
        "discord.utils.escape_markdown(name)",
    ],
)
def test_a_foreign_name_that_is_shown_as_it_came_would_be_found(source: str) -> None:
    assert len(list(_bare_names(Module("cogs.a", source)))) == 1
    assert list(_bare_names(Module("cogs.a", "f'**{excerpt(voice.name)}**'"))) == []
