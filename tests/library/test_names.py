from __future__ import annotations

import itertools

import hypothesis
import pytest
from hypothesis import strategies as st

from bot.errors import MemberError
from bot.library.voice import check_name, name_key
from bot.text.characters import appearances


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Alice", "Alice"),
        ("  Old   Tom\t", "Old Tom"),
        ("Cafe\u0301", "Café"),
        ("Müller", "Müller"),
        ("山田 太郎", "山田 太郎"),
        ("علی", "علی"),
        ("O'Neil-2.0", "O'Neil-2.0"),
        ("Robo 🤖", "Robo 🤖"),
        ("👩\u200d🚀 Ann", "👩\u200d🚀 Ann"),
        ("x" * 32, "x" * 32),
        ("ก็" * 32, "ก็" * 32),
    ],
)
def test_a_name_is_shown_as_people_write_it(typed: str, shown: str) -> None:
    assert check_name(typed) == shown


@pytest.mark.parametrize(
    "typed",
    [
        *("", "   ", "!!!", "\u200b", "\u200d", "x" * 33, "a" + "\u0301" * 500),
        *("@everyone", "<@123>", "<#1>", "<:a:1>", "**bold**", "_x_", "`x`", "||x||", "~~x~~", "[a](b)"),
        *("a:b", "a：b", "# head", "- list", "1. one", "> quote", 'a"b', "a\\b", "a/b"),
        *("a\x00b", "a\x07b", "a\u202eb", "a\u2066b", "a\ufeffb", "a\ud800b", "a\ue000b", "a\u00adb"),
    ],
)
def test_what_cannot_be_a_name_is_refused_with_a_sentence(typed: str) -> None:
    with pytest.raises(MemberError, match=r"^[A-Z].*\.$"):
        check_name(typed)


@pytest.mark.parametrize(
    "same",
    [
        ("Alice", "alice", "ALICE", "Ａlice", "𝐀lice", " alice ", "Al\u200dice", "Alice\ufe0f"),
        ("Straße", "STRASSE", "strasse"),
        ("Old Tom", "old  tom", "OLD\u00a0TOM"),
        ("Café", "cafe\u0301"),
        ("ﬁn", "FIN"),
    ],
)
def test_names_that_people_take_for_the_same_have_one_key(same: tuple[str, ...]) -> None:
    assert len({name_key(name) for name in same}) == 1


def test_other_names_have_other_keys() -> None:
    names = ("Alice", "Аlice", "Alicé", "Al ice", "Alice2", "アリス")  # the second with a Cyrillic letter

    assert len({name_key(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    "typed", ["none", "None", " NONE ", "nоne", "ｎｏｎｅ", "no\u0335ne", "n0ne", "ոone"]
)
def test_what_means_no_voice_is_no_name(typed: str) -> None:
    with pytest.raises(MemberError, match="no voice at all"):
        check_name(typed)


@pytest.mark.parametrize("name", ["None of them", "Noné", "Anone", "non"])
def test_what_only_begins_like_it_is_a_name(name: str) -> None:
    assert check_name(name) == name


ALIKE = (
    ("Alice", "Аlice", "Αlice", "Alıce", "A\u0335lice", "AIice", "A1ice", "ALICE", "Ａlice", "ᎪӀісе"),
    ("Bob", "Воb", "B0b", "ВОВ", "b\u0338ob", "Βοb", "B\u034fob"),
    ("Рора", "Popa", "Pора", "рора", "POPA"),
    ("O'Neil", "O’Neil", "О′Neil", "0'Neil"),
    ("Tom-2", "Tom‐2", "Тоm−2"),
)


@pytest.mark.parametrize("names", ALIKE)
def test_names_that_look_the_same_have_an_appearance_in_common(names: tuple[str, ...]) -> None:
    first = appearances(names[0])
    for name in names[1:]:
        assert any(one == other for one, other in zip(first, appearances(name), strict=True)), name


@pytest.mark.parametrize(
    "names",
    [("Alice", "Alicé", "Al ice", "Alice2", "Malice"), ("Ada", "Bob", "Мария", "Μαρία", "アリス", "🤖 Bo")],
)
def test_names_that_look_different_have_none(names: tuple[str, ...]) -> None:
    for one, other in itertools.combinations(names, 2):
        assert not any(
            seen == also for seen, also in zip(appearances(one), appearances(other), strict=True)
        ), (one, other)


@hypothesis.given(st.text(max_size=60))
def test_whatever_is_typed_a_name_comes_out_or_a_sentence(typed: str) -> None:
    try:
        name = check_name(typed)
    except MemberError as error:
        assert str(error).endswith(".")
    else:
        assert check_name(name) == name
        assert name_key(name) == name_key(name_key(name)) != ""
