"""Our own words are in the language of the message, and laughter is said as it sounds there."""

from __future__ import annotations

from dataclasses import astuple
from datetime import UTC, datetime
from typing import Final

import pytest

from bot.text.discord_markup import Names
from bot.text.languages import ENGLISH, UNKNOWN, language_of
from bot.text.pictures import name_emoji
from bot.text.speakable import speakable
from bot.text.words import FIELDS, WORDS

NAMES: Final = Names(members={1: "Боб"}, now=datetime(2026, 11, 24, 12, 0, tzinfo=UTC))

MESSAGES: Final = [
    ("en", "ok lol"),
    ("en", "gg wp"),
    ("en", "lmao that was sick"),
    ("en", "password 1234"),
    ("en", "sus bro"),
    ("de", "ja"),
    ("de", "okay danke"),
    ("fr", "j'ai vu ça hier"),
    ("en", "a man in a van"),
    ("en", "I love すし so much"),
    ("en", "asdf"),
    ("en", ""),
    ("en", "x <= y"),
    ("de", "ich liebe dich"),
    ("de", "Straße gesperrt"),
    ("fr", "salut les gars"),
    ("es", "buenas noches"),
    ("es", "¿qué?"),
    ("pt", "boa noite"),
    ("pt", "kkkkkkkk"),
    ("it", "buongiorno ragazzi"),
    ("nl", "dank je wel"),
    ("sv", "tack så mycket"),
    ("da", "tillykke med fødselsdagen"),
    ("nb", "takk for i dag, jeg er på vei hjem"),
    ("fi", "hyvää huomenta"),
    ("pl", "dzień dobry"),
    ("cs", "dobrý den, jak se máš"),
    ("hu", "köszönöm szépen"),
    ("tr", "iyi geceler"),
    ("vi", "chúc mừng sinh nhật"),
    ("id", "selamat ulang tahun"),
    ("id", "wkwkwkwk"),
    ("ca", "moltes gràcies"),
    ("ro", "mulțumesc frumos"),
    ("ru", "установи Windows 11 и Steam"),
    ("uk", "привіт, як справи"),
    ("el", "καλημέρα"),
    ("he", "בוקר טוב"),
    ("ar", "صباح الخير"),
    ("fa", "چطوری؟"),
    ("hi", "शुभ रात्रि"),
    ("th", "ราตรีสวัสดิ์"),
    ("ja", "今日はGoogle Meetで"),
    ("ja", "了解です"),
    ("zh", "我用Python写的"),
    ("ko", "Steam 켜줘"),
    (UNKNOWN, "გამარჯობა"),
]


@pytest.mark.parametrize(("language", "text"), MESSAGES)
def test_the_language_of_a_short_message_is_known(language: str, text: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text", ["see https://ejemplo.es/donde", "<:jaja:1> ok", ":gracias: ok", "mail hola@gracias.es"]
)
def test_names_and_addresses_are_in_no_language(text: str) -> None:
    assert language_of(text) == ENGLISH


def test_every_language_has_every_word() -> None:
    for language, words in WORDS.items():
        lacking = [name for name, word in zip(FIELDS, astuple(words), strict=True) if not word]
        assert lacking in ([], ["shrug"]), language
        assert "{}" in words.link_to and "{}" in words.page and words.stars.count("{}") == 2, language


@pytest.mark.parametrize("language", sorted(set(WORDS) - {UNKNOWN}))
def test_every_language_names_the_commonest_emoji(language: str) -> None:
    names = [name_emoji(one, language).strip() for one in ("😂", "❤️", "👍🏽", "🎂", "🇫🇷")]

    assert all(names)
    assert name_emoji("5️⃣", language).strip() == "5"
    if language != ENGLISH:
        assert not set(names) & {
            "face with tears of joy",
            "red heart",
            "thumbs up",
            "birthday cake",
            "flag of",
        }


def test_a_script_that_is_not_known_gets_no_words_of_others() -> None:
    assert speakable("გამარჯობა 😂 https://example.com ||x||") == "გამარჯობა..."


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Guck mal: https://example.com/a", "Guck mal: Link zu example Punkt com"),
        ("смотри https://example.com/a.png", "смотри картинка"),
        ("見て https://example.com/a", "見て リンク"),
        ("hallo <@404>", "hallo jemand"),
        ("привет <@1>", "привет Боб"),
        ("bis <t:1795528800:R>", "bis in 2 Stunden"),
        ("le film est <t:1795521600:D>", "le film est 24 novembre 2026"),
        ("あなたは<3です", "あなたは ハート です"),
        ("来了~5个人", "来了大约 5个人"),
        ("Das ist ~5 km", "Das ist etwa 5 km"),
        ("das ist 5 * 3", "das ist 5 mal 3"),
        ("c'est x <= 5", "c'est x inférieur ou égal à 5"),
        ("hallo 🇫🇷", "hallo Frankreich"),
        ("hola `*` aquí", "hola asterisco aquí"),
        ("Er ist ||tot||", "Er ist Spoiler"),
        ("schreib bitte an a.b@example.com", "schreib bitte an a Punkt b ät example Punkt com"),
    ],
)
def test_our_words_are_in_the_language_of_the_message(written: str, said: str) -> None:
    assert speakable(written, NAMES) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("それなwww", "それな笑"),
        ("ｗｗｗ まじで", "笑 まじで"),
        ("まじかw", "まじか笑"),
        ("これは www.example.com です", "これは リンク です"),
        ("KKKKK não acredito", "hahaha não acredito"),
        ("the KKK is bad", "the KKK is bad"),
        ("2333 太好笑", "哈哈哈 太好笑"),
        ("一共233元", "一共233元"),
        ("hhhh 好的", "哈哈 好的"),
        ("ตลกมาก 55555", "ตลกมาก ฮ่าๆ"),
        ("ราคา 5555 บาท", "ราคา 5555 บาท"),
        ("ㅋㅋㅋㅋㅋ 진짜", "크크크 진짜"),
        ("ㅇㅋ 알겠어", "오케이 알겠어"),
        ("아 ㅜㅜ", "아 흑흑"),
        ("ههههههه", "ههه"),
        ("хахахахаха да", "хахаха да"),
    ],
)
def test_laughter_is_said_as_it_sounds(written: str, said: str) -> None:
    assert speakable(written) == said
