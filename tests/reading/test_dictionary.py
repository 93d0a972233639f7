"""Dictionaries: what they do to a text, what cannot be in one, and how they travel as files."""

from __future__ import annotations

import csv
import json
import time
from io import StringIO

import pytest

from bot.errors import MemberError
from bot.limits import MAX_DICTIONARY_BYTES
from bot.reading.dictionary import PRESETS, Dictionary, as_csv, as_json, entry_of, folded, imported
from bot.text.speakable import speakable


def dictionary(**words: str) -> Dictionary:
    return Dictionary([entry_of(word, spoken) for word, spoken in words.items()])


SAID = [
    # what is in the dictionary, the text, and what is said
    ({"gg": "good game"}, "gg all, GG!", "good game all, good game!"),
    ({"gg": "good game"}, "eggs, bigg, gg2, gg_x and ggé", "eggs, bigg, gg2, gg_x and ggé"),
    ({"gg": "good game"}, "gg-gg 'gg' gg's", "good game-good game 'good game' good game's"),
    ({"a": "b", "b": "c", "c": "a"}, "a b c", "b c a"),
    ({"ice": "eyes", "ice cream": "gelato"}, "ice cream and ice", "gelato and eyes"),
    ({"C++": "see plus plus"}, "I write C++, not c+.", "I write see plus plus, not c+."),
    ({"東京": "とうきょう"}, "東京都へ", "とうきょう都へ"),
    ({"草": "くさ", "草原": "そうげん"}, "草原の草", "そうげんのくさ"),
    ({"spam": "egg"}, "Spam東京spam", "Spam東京spam".replace("spam", "egg").replace("Spam", "egg")),
    ({"ส": "สอ"}, "กสก", "กสอก"),
    ({"straße": "weg"}, "STRASSE Straße", "STRASSE weg"),
    ({"лол": "ха ха"}, "Лол, лолка", "ха ха, лолка"),
    ({"롤": "리그"}, "롤 롤러", "리그 롤러"),
    ({"😀": "big smile"}, speakable("nice 😀"), "nice big smile"),
    ({"İstanbul": "the city"}, "İstanbul, istanbul", "the city, istanbul"),
    ({"no. 1": "the best"}, "You are no. 1!", "You are the best!"),
    ({}, "as it is", "as it is"),
]


@pytest.mark.parametrize(("words", "text", "said"), SAID)
def test_words_are_said_as_the_dictionary_has_them(words: dict[str, str], text: str, said: str) -> None:
    assert dictionary(**words).apply(text) == said


def test_what_a_server_has_chosen_comes_before_a_preset() -> None:
    both = Dictionary([entry_of("brb", "back soon")], ["en", "unknown"])

    assert both.apply("brb, afk") == "back soon, away from keyboard"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_says_each_of_its_words_and_never_the_word_itself(name: str) -> None:
    preset = Dictionary(presets=[name])

    for word, said in PRESETS[name].words.items():
        assert preset.apply(word) == said
        assert folded(said) != word == folded(word)
        assert " ".join(speakable(said).split()) == said


@pytest.mark.parametrize(
    ("word", "spoken", "why"),
    [
        ("gg", "GG", "how I say it anyway"),
        ("gg", "x" * 1_000, "too long"),
        ("x" * 61, "short", "too long"),
        ("gg", "", "can't say that"),
        ("gg", "***", "can't say that"),
        ("...", "dots", "needs words"),
        ("  \u200b", "nothing", "needs words"),
    ],
)
def test_what_cannot_be_a_word_is_refused_with_one_sentence(word: str, spoken: str, why: str) -> None:
    with pytest.raises(MemberError, match=why):
        entry_of(word, spoken)


def test_a_spoken_form_is_plain_words_whatever_is_typed() -> None:
    spoken = entry_of("a", "(whisper) see <@1> https://a.example/x ||z||").spoken

    assert not set(spoken) & set("()<>|/@")


def test_a_full_dictionary_of_nasty_words_takes_time_in_proportion_to_the_text() -> None:
    nasty = Dictionary([entry_of("a" * (1 + number % 56) + str(number), "b") for number in range(500)])

    def seconds(letters: int) -> float:
        text = " ".join("a" * 50 for _ in range(letters // 51))
        began = time.process_time()
        nasty.apply(text)
        return time.process_time() - began

    seconds(1_000)
    assert min(seconds(20_000) for _ in range(3)) < 30 * max(min(seconds(2_000) for _ in range(5)), 0.001)


def test_a_dictionary_comes_back_as_it_went_as_json_and_as_csv() -> None:
    words = [
        entry_of(*pair)
        for pair in (("gg", "good game"), ("東京", "とうきょう"), ("=1+1", "a formula"), ("a,b", "c; d"))
    ]

    for data in (as_json(words), as_csv(words)):
        assert imported(data).words == tuple(words)
    cells = [cell for row in csv.reader(StringIO(as_csv(words).decode("utf-8-sig"))) for cell in row]
    assert not any(cell.startswith("=") for cell in cells)


@pytest.mark.parametrize(
    "data",
    [
        b'{"gg": "good game", "wp": "well played"}',
        b'[["gg", "good game"], ["wp", "well played"]]',
        b'[{"word": "gg", "spoken": "good game"}, {"word": "wp", "spoken": "well played"}]',
        b"gg,good game\nwp,well played\n",
        b"\xef\xbb\xbfWord;Spoken\r\ngg;good game\r\n\r\nwp;well played",
        b"gg\tgood game\nwp\twell played",
    ],
)
def test_a_file_is_read_in_every_shape_that_people_write(data: bytes) -> None:
    assert {word.key: word.spoken for word in imported(data).words} == {
        "gg": "good game",
        "wp": "well played",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"[1, 2]",
        b'{"gg": 1}',
        b'{"gg": {"deep": "er"}}',
        b'{"gg": "a", "gg": "b"}',
        b'[["gg", "good", "game"]]',
        b'[{"word": "gg"}]',
        b"[" * 100_000,
        b"{NaN}",
        b"one column\nonly",
        b"a,b,c",
        b"\xff\xfe\x00binary",
        b"RIFF\x00\x00WAVE",
        b"x" * (MAX_DICTIONARY_BYTES + 1),
        json.dumps({str(number): "n" for number in range(3_000)}).encode(),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused_with_one_sentence(data: bytes) -> None:
    with pytest.raises(MemberError) as refused:
        imported(data)

    assert str(refused.value).endswith((".", ". Try another."))
    assert len(str(refused.value)) < 200


def test_of_a_file_the_usable_words_count_and_the_others_are_told() -> None:
    found = imported(json.dumps({"gg": "good game", "ok": "OK", "...": "dots", "GG": "great"}).encode())

    assert [(word.key, word.spoken) for word in found.words] == [("gg", "great")]
    assert found.unusable == 2
    assert "anyway" in found.why
