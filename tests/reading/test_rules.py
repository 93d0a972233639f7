"""What is read of a message and how it is worded: tables, and what cannot be read well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.errors import MemberError
from bot.library.reading import ReadingRules
from bot.reading.dictionary import Dictionary, entry_of
from bot.reading.rules import (
    Attached,
    AttachmentKind,
    Repeats,
    Said,
    Unread,
    Written,
    announced,
    check_spoken_name,
    said_of,
    sayable_name,
    shortened,
    unread_reason,
    with_name,
)
from bot.text.characters import has_words
from bot.text.discord_markup import Names
from bot.text.languages import ENGLISH, UNKNOWN
from bot.text.speakable import check_text, speakable
from bot.text.speaking_time import speaking_seconds
from bot.text.words import PHRASES, WORDS

RULES = ReadingRules()
IMAGE, HIDDEN = Attached(AttachmentKind.IMAGE), Attached(AttachmentKind.IMAGE, is_hidden=True)


def said(content: str = "", *, rules: ReadingRules = RULES, otherwise: str = ENGLISH, **parts: object) -> str:
    return said_of(Written(content=content, **parts), rules, otherwise=otherwise).text  # type: ignore[arg-type]


READ = [
    (Written(content="hello"), None),
    (Written(content=""), None),
    (Written(content="; not for you"), Unread.SIGN),
    (Written(content="  ;) "), Unread.SIGN),
    (Written(content=";; for everybody"), None),
    (Written(content="hi ; there"), None),
    (Written(content="!play a song"), Unread.PREFIX),
    (Written(content="wow!"), None),
    (Written(content="psst", is_silent=True), Unread.SILENT),
    (Written(content="beep", is_bots=True), Unread.BOT),
    (Written(content="pong", is_commands_answer=True, is_bots=True), Unread.ANSWER),
    (Written(content="Robin pinned a message", is_systems=True), Unread.SYSTEM),
]


@pytest.mark.parametrize(("written", "reason"), READ)
def test_what_is_read_and_what_is_not(written: Written, reason: Unread | None) -> None:
    assert unread_reason(written, replace(RULES, prefix="!")) is reason


def test_bots_are_read_where_a_server_wants_that_but_never_the_answers_of_commands() -> None:
    rules = replace(RULES, reads_bots=True)

    assert unread_reason(Written(content="beep", is_bots=True), rules) is None
    assert unread_reason(Written(is_bots=True, is_commands_answer=True), rules) is Unread.ANSWER


def forward(content: str = "", **parts: object) -> tuple[Written, ...]:
    return (Written(content=content, **parts),)  # type: ignore[arg-type]


WORDED = [
    # what is written, and what is said of it
    ({"content": "Look at that", "attached": (IMAGE,)}, "Look at that.\nan image"),
    ({"attached": (IMAGE, IMAGE, Attached(AttachmentKind.FILE))}, "2 images, a file"),
    ({"attached": (HIDDEN, IMAGE, HIDDEN)}, "an image, hidden: 2 images"),
    ({"attached": (Attached(AttachmentKind.VOICE_MESSAGE),)}, "a voice message"),
    ({"content": "Schau dir das an", "attached": (IMAGE, IMAGE)}, "Schau dir das an.\n2 Bilder"),
    (
        {"content": "ok", "stickers": ("Wave", "Wave", "Party_Parrot")},
        "ok.\nsticker: Wave.\nsticker: Party Parrot",
    ),
    ({"content": "https://tenor.com/view/cat-gif-1234"}, "a GIF"),
    ({"content": "regarde https://giphy.com/gifs/x-Y9"}, "regarde un GIF"),
    ({"content": "https://cdn.example.com/a/b.gif?ex=1 lol"}, "a GIF lol"),
    ({"content": "||https://tenor.com/view/secret-1||"}, "spoiler"),
    ({"content": "https://example.com/page"}, "link to example dot com"),
    ({"content": "https://notgiphy.community/x.gifs"}, "link to notgiphy dot community"),
    ({"forwarded": forward("Meet at noon", attached=(IMAGE,))}, "forwarded: Meet at noon.\nan image"),
    ({"content": "посмотри", "forwarded": forward("привет")}, "посмотри.\nпереслано: привет"),
    ({"forwarded": forward("")}, ""),
    (
        {"question": "Pizza or pasta?", "answers": ("Pizza 🍕", "Pasta")},
        "poll: Pizza or pasta?\nPizza pizza, Pasta",
    ),
    ({"content": "||secret|| and `x = 1`"}, "spoiler and x = 1"),
    ({"content": "```py\nx=1\n```"}, "code block"),
    ({"content": "😂" * 1_000}, "face with tears of joy"),
    ({"content": "😂😍🎉🔥"}, "face with tears of joy smiling face with heart-eyes party popper"),
    ({"content": "haha <:pepe:123456789012345678>"}, "haha pepe"),
    ({"content": "z̷̛̗͎̱͂͋͌̓͋a̸̢̛͉̻̪͂̀̚l̴̨̬̲͇̽̈́̓̕g̸̛̭̹͓̈́̀̓͜o̵̡̟̠̐̅̋͝"}, None),
    ({"content": "¯\\_(ツ)_/¯"}, "shrug"),
    ({"content": "..."}, ""),
    ({"content": "\u200b"}, ""),
]


@pytest.mark.parametrize(("parts", "words"), WORDED)
def test_a_message_is_worded_in_its_own_language(parts: dict[str, object], words: str | None) -> None:
    text = said(**parts)  # type: ignore[arg-type]

    if words is None:
        assert len(text) < 40
    else:
        assert text == words


def test_emoji_are_left_out_where_a_server_wants_none() -> None:
    rules = replace(RULES, names_emoji=False)

    assert said("so nice 😂🎉 <a:party:123456789012345678> :joy: 1️⃣ at 10:30:15", rules=rules) == (
        said("so nice 1️⃣ at 10:30:15")
    )
    assert said("😂😂", rules=rules) == ""
    assert said("||a|😂|b||", rules=rules).count("spoiler") >= 1


def test_where_a_message_tells_no_language_the_one_before_counts() -> None:
    assert said(attached=(IMAGE, IMAGE), otherwise="fr") == "2 images"
    assert (
        said("😂", otherwise="de") == said_of(Written(content="😂"), RULES, otherwise="de").text != said("😂")
    )
    assert said("hello there my friend", attached=(IMAGE,), otherwise="de").endswith("an image")


def test_mentions_in_it_have_their_names() -> None:
    names = Names(members={7: "Robin"}, channels={8: "general"})

    text = said_of(Written(content="<@7> see <#8>"), RULES, names=names).text
    assert text == speakable("<@7> see <#8>", names) == "Robin see general"


def test_the_dictionary_is_applied_once_over_all_of_it() -> None:
    words = Dictionary([entry_of("gg", "good game"), entry_of("image", "picture"), entry_of("game", "match")])

    text = said_of(Written(content="gg", attached=(IMAGE,)), RULES, dictionary=words).text
    assert text == "good game.\nan picture"


@pytest.mark.parametrize("language", [language for language in PHRASES if language != UNKNOWN])
def test_every_language_has_all_phrases_and_says_what_is_put_into_them(language: str) -> None:
    everything = Written(
        attached=(IMAGE, IMAGE, HIDDEN, *(Attached(kind) for kind in AttachmentKind for _ in range(2))),
        stickers=("Wave",),
        question="Tea?",
        answers=("Yes",),
        forwarded=(Written(content="Robin"),),
    )
    text = said_of(everything, RULES, otherwise=language).text

    assert PHRASES.keys() == WORDS.keys()
    assert "{" not in text
    assert "4" in text
    assert all(word in text for word in ("Wave", "Tea", "Yes", "Robin"))
    assert has_words(PHRASES[language].and_so_on)
    told = announced(["Ada", "Ben", "Cat", "Dot"], ["Eve"], language)
    assert "Ada" in told
    assert "Eve" in told
    assert "2" in told


SENTENCES = "The bird sat on the wire above the yard. Nobody had seen it come. " * 20


def test_a_long_message_is_cut_behind_a_sentence_and_says_so() -> None:
    cut = shortened(Said(SENTENCES.strip(), "en"), 30)

    assert cut.endswith(". and so on")
    assert SENTENCES.startswith(cut.removesuffix(" and so on"))
    assert 12 < speaking_seconds(cut) < 33


@pytest.mark.parametrize(
    ("text", "language", "end"),
    [
        ("word " * 400, "en", ", and so on"),
        ("чай, " * 300, "ru", ", и так далее"),
        ("東京" * 300, "ja", ", 以下略"),
        ("a" * 2_000, "en", ", and so on"),
        ("今日は晴れです。" * 100, "ja", "。 以下略"),
    ],
)
def test_a_message_without_a_sentence_is_cut_where_it_can_be(text: str, language: str, end: str) -> None:
    cut = shortened(Said(text, language), 30)

    assert cut.endswith(end)
    assert 10 < speaking_seconds(cut) < 35
    check_text(cut)


def test_a_short_message_is_not_cut() -> None:
    assert shortened(Said("Hello there.", "en"), 5) == "Hello there."


NASTY = [
    "😂" * 2_000,
    "z̷̛̗͎̱͂͋͌̓͋" * 400,
    "https://a.gif/" * 140,
    "||" * 1_000,
    "<:a:1>" * 300,
    "ｈｅｌｌｏ " * 300,
    "\n" * 2_000,
    "a" * 2_000,
]


@pytest.mark.parametrize("text", NASTY)
def test_whatever_is_written_ends_as_something_short_or_nothing(text: str) -> None:
    cut = shortened(Said(said(text[:2_000]), "en"), 30)

    assert speaking_seconds(cut) < 35
    if has_words(cut):
        check_text(cut)


def test_a_dictionary_that_blows_words_up_is_cut_all_the_same() -> None:
    words = Dictionary([entry_of("a", "b " + "verylongword" * 16)])
    text = said_of(Written(content="a " * 1_000), RULES, dictionary=words)

    assert speaking_seconds(shortened(text, 30)) < 35


@pytest.mark.parametrize(
    ("name", "spoken"),
    [
        ("Robin", "Robin"),
        ("xX_Dark_Lord_Xx", "xX Dark Lord Xx"),
        ("𝕽𝖔𝖇𝖎𝖓", "Robin"),
        ("🔥🔥🔥", "someone"),
        ("Wooooooooooooooooooooooow", "Wooow"),
        ("||@everyone||", "everyone"),
        ("", "someone"),
    ],
)
def test_a_name_is_said_as_it_can_be(name: str, spoken: str) -> None:
    assert sayable_name(name) == spoken


def test_a_name_is_short_and_goes_through_the_dictionary() -> None:
    words = Dictionary([entry_of("Siobhan", "Shivawn")])

    assert sayable_name("Siobhan", words) == "Shivawn"
    assert len(sayable_name("Abcdefghij " * 20)) <= 32
    assert with_name("Robin", "hi", "en") == "Robin: hi"
    assert with_name("ロビン", "やあ", "ja") == "ロビン：やあ"


def test_a_spoken_name_that_cannot_be_said_is_refused() -> None:
    assert check_spoken_name("  Shi vawn ") == "Shi vawn"
    for name in ("***", "Abcde fghij " * 3, ""):
        with pytest.raises(MemberError):
            check_spoken_name(name)


def test_the_third_equal_message_in_a_row_is_not_read_and_another_begins_anew() -> None:
    repeats = Repeats()

    assert [repeats.is_too_many(text) for text in ("a", "A", "a", "a", "b", "a", "a", "a")] == [
        *(False, False, True, True, False, False, False, True)
    ]


def test_who_came_and_who_went_is_one_sentence() -> None:
    assert announced(["Ada"], [], "en") == "Ada joined"
    assert announced(["Ada", "Ben"], ["Cat"], "en") == "Ada, Ben joined. Cat left"
    assert announced(["Ada", "Ben", "Cat", "Dot", "Eve"], [], "en") == "Ada, Ben, 3 others joined"
