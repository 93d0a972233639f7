"""Who reads which text."""

from __future__ import annotations

import pytest

from tests.tts_gateway.listening import heard, spectrum_distance
from tts_gateway.engines.espeak import Passage, Samples, VoiceSettings, say
from tts_gateway.engines.languages import LANGUAGE_FILES, latin_language, passages, speakable
from tts_gateway.engines.sound import joined, levelled, resampled, wav_bytes


def _languages(text: str) -> list[str]:
    return [passage.language_file.rpartition("/")[2] for passage in passages(text)]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Good morning, how are you?"),
        ("de", "Guten Tag"),
        ("de", "Wir treffen uns am Bahnhof, und dann gehen wir schwimmen."),
        ("fr", "Bonjour tout le monde, où est la gare ?"),
        ("es", "Hola amigo, ¿cómo estás?"),
        ("it", "Ciao, come stai oggi?"),
        ("pt", "Olá, tudo bem com você?"),
        ("nl", "Goedemorgen, hoe gaat het met je?"),
        ("pl", "Dzień dobry, jak się masz?"),
        ("sv", "Hej, hur mår du idag?"),
        ("da", "Hej, hvordan går det med dig?"),
        ("nb", "Hei, hvordan går det med deg?"),
        ("fi", "Hyvää päivää, mitä kuuluu?"),
        ("tr", "Merhaba, nasılsın?"),
        ("vi", "Xin chào các bạn"),
        ("id", "Selamat pagi, apa kabar?"),
        ("sw", "Habari yako, rafiki?"),
        ("id", "Magandang umaga po sa inyo"),
        ("en", "lol ok"),
        ("en", "x"),
    ],
)
def test_the_latin_script_is_told_apart_by_common_words_and_letters(language: str, text: str) -> None:
    assert latin_language(text) == language


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "Привет, как дела"), ("uk", "Привіт, їжак"), ("be", "Добры дзень, ў"), ("el", "Καλημέρα"),
        ("he", "שלום"), ("ar", "مرحبا"), ("fa", "سلام، چطوری"), ("ur", "آپ کیسے ہیں، لڑکا"), ("hi", "नमस्ते"),
        ("bn", "নমস্কার"), ("ta", "வணக்கம்"), ("te", "నమస్కారం"), ("th", "สวัสดี"), ("th", "ສະບາຍດີ"),
        ("my", "မင်္ဂလာပါ"), ("ko", "안녕하세요"), ("ja", "こんにちは"), ("ja", "ｺﾝﾆﾁﾊ"), ("cmn", "你好"),
        ("yue", "你哋喺邊度"),         ("ka", "გამარჯობა"), ("hy", "Բարեւ"), ("am", "ሰላም"),
    ],
)  # fmt: skip
def test_other_scripts_choose_their_language(language: str, text: str) -> None:
    assert _languages(text) == [language]


def test_a_text_of_several_scripts_is_read_run_by_run() -> None:
    runs = passages("7 мая we fly to Αθήνα, 漢字 included!")

    assert [(run.language_file, run.text) for run in runs] == [
        ("zle/ru", "7 мая "),
        ("gmw/en-US", "we fly to "),
        ("grk/el", "Αθήνα, "),
        ("sit/cmn", "漢字 "),
        ("gmw/en-US", "included!"),
    ]


def test_no_character_of_a_text_is_lost_between_runs() -> None:
    text = "Hello Привет 42 שלום, γειά & 你好 ok?"

    assert "".join(run.text for run in passages(text)) == text


def test_fancy_letters_are_read_as_plain_ones() -> None:
    assert speakable("𝓗𝓮𝓵𝓵𝓸 Ｗｏｒｌｄ ﬁn") == "Hello World fin"


def test_control_characters_and_private_ones_never_reach_the_synthesiser() -> None:
    assert speakable("a\x01\x1b[31m\u202eb\ue000\U000f0000\ud800c\u0000") == "a [31m b c"


def _said(language_file: str, text: str) -> Samples:
    return joined(say([Passage(language_file, text)], VoiceSettings(), max_seconds=20))


def test_every_language_in_the_table_is_spoken_by_the_library() -> None:
    silent = [file for file in LANGUAGE_FILES.values() if not len(_said(file, "1 2 3"))]

    assert silent == []


def test_the_same_words_sound_different_in_german_and_english() -> None:
    text = "Guten Tag, wie geht es dir"

    german, english = (
        heard(wav_bytes(levelled(resampled(_said(file, text))))) for file in ("gmw/de", "gmw/en-US")
    )

    assert passages(text) == [Passage("gmw/de", text)]
    assert spectrum_distance(german, english) > 1.0
