"""A text in segments: nothing lost, nothing torn apart, and lengths as they were asked for."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.sentences import SENTENCES
from bot.text.segments import (
    MAX_SECONDS,
    MIN_SECONDS,
    PAUSE_SECONDS,
    Break,
    Breaks,
    Segment,
    Segmenter,
    segmenter,
)
from bot.text.speaking_time import speaking_seconds

UNSPACED = ("ja", "zh", "th", "my")


def cut(text: str, *targets: float) -> list[Segment]:
    """Return all segments of ``text``; the last target counts for the rest."""
    segments = Segmenter(text)
    found: list[Segment] = []
    while segment := segments.next(targets[min(len(found), len(targets) - 1)]):
        found.append(segment)
        assert len(found) <= len(text)
    return found


def words(segments: list[Segment]) -> list[str]:
    return [segment.text for segment in segments]


def prose(language: str) -> str:
    return ("" if language in ("ja", "zh") else " ").join(SENTENCES[language])


_WRITTEN = r"""a ß 3.14 。 你好 、 「 」 ก ำ क्षि म 한 ( ) " . - … 😀 👨‍👩‍👧 x.y/z?q=1"""
_SPACED = ["Word ", "12:30 ", "e.g. ", "। ", "؟ ", "! ", "? ", ", ", " - ", "\n", "\n\n", "a@b.com "]
_SCRAPS = st.sampled_from([*_WRITTEN.split(), *_SPACED, "e\u0301", "\ud800"])
ANY_TEXT = st.one_of(
    st.text(st.characters(codec=None), max_size=200),
    st.lists(_SCRAPS, max_size=150).map("".join),
    st.lists(st.sampled_from([s for group in SENTENCES.values() for s in group]), max_size=12).map(" ".join),
)


@settings(max_examples=300, deadline=None)
@given(ANY_TEXT, st.lists(st.floats(0.1, 40), min_size=1, max_size=5))
@example("a" * 3_000, [4.0])
@example("((" * 400 + "x", [4.0])
@example("1234567890 " * 60, [1.0])
@example("\n\n. \n hello \n\n !", [3.0])
def test_any_text_is_said_whole_and_in_order(text: str, targets: list[float]):
    segments = cut(text, *targets)

    if speaking_seconds(text) == 0:
        assert segments == []
        return
    assert "".join("".join(words(segments)).split()) == "".join(text.split())
    assert all(segment.text == " ".join(segment.text.split()) != "" for segment in segments)
    assert segments[-1].pause_after == 0
    assert all(0 <= segment.pause_after <= 0.4 for segment in segments)
    assert all(segment.seconds <= MAX_SECONDS + 0.01 for segment in segments)


@pytest.mark.parametrize("language", SENTENCES)
def test_words_of_prose_stay_whole_in_every_language(language: str):
    text = prose(language)

    segments = cut(text, 4, 8, 12)

    if language not in UNSPACED:
        assert [word for text in words(segments) for word in text.split()] == text.split()
    assert all(MIN_SECONDS <= segment.seconds <= MAX_SECONDS for segment in segments[:-1])


@pytest.mark.parametrize("language", SENTENCES)
def test_with_room_every_segment_ends_with_a_sentence(language: str):
    text = "\n".join([prose(language)] * 4)

    segments = cut(text, 13)

    ends = sum(segment.pause_after >= 0.2 for segment in segments[:-1])
    assert ends >= (len(segments) - 1) * (0.4 if language == "th" else 0.8)


@pytest.mark.parametrize("language", SENTENCES)
def test_the_first_segment_is_short_when_it_is_asked_to_be(language: str):
    first = cut(prose(language), 4.5)[0]

    assert 2.9 <= first.seconds <= 7.6


def test_grapheme_clusters_stay_whole():
    family, letters = "👨‍👩‍👧", "क्षि"

    segments = cut(family * 80 + letters * 300, 5)

    for text in words(segments):
        assert text == family * text.count(family) + letters * text.count(letters)


WHOLE = [
    "3.14", "1,000", "1,250,000.50", "12:30", "v1.2.3-beta", "+49 30 1234 5678", "(030) 123-4567",
    "2026-11-24", "1 000 000", "50 %", "10.0.0.1", "bob.smith@example.com", "https://example.com/a,b?c=d!e",
    "example.org/x:y",
    "link to example dot co dot uk", "mail at example dot com", "(this, that; and the other. Really.)",
    "（你好。再见！）", "[one. two.]", "「本当？はい。」",
]  # fmt: skip


@pytest.mark.parametrize("whole", WHOLE)
@pytest.mark.parametrize("target", [1.0, 2.0])
def test_what_belongs_together_is_never_cut(whole: str, target: float):
    text = f"We were told that it was {whole} and nothing else, or {whole}; well, {whole}. And then {whole}"

    segments = cut(text, target)

    assert len(segments) > 1
    assert sum(segment.text.count(whole) for segment in segments) == 4


@pytest.mark.parametrize(
    "endless", ["(" + "very long words indeed, " * 40 + ")", "1234567890" * 30, "a.b" * 300]
)
def test_what_nobody_could_say_in_one_breath_is_cut_all_the_same(endless: str):
    segments = cut(endless, 10)

    assert len(segments) > 2
    assert all(segment.seconds <= MAX_SECONDS for segment in segments)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Er wohnt z. B. in Bonn. Sie auch.", 2),
        ("Dr. Smith met Mr. Jones. They talked.", 2),
        ("It costs 3.50 a piece. Take two.", 2),
        ("你好。今天天气很好！我们走吧？好的。", 4),
        ("「本当？」と聞いた。はい。", 2),
        ("नमस्ते। आप कैसे हैं? ठीक।", 3),
        ("سلام۔ آپ کیسے ہیں؟ ٹھیک۔", 3),
        ("សួស្តី។ អ្នកសុខសប្បាយទេ។", 2),
        ("မင်္ဂလာပါ။ နေကောင်းလား။", 2),
        ("Ça va ? Oui ! Merci.", 3),
        ("Καλημέρα. Τι κάνεις;", 2),
    ],
)
def test_sentences_end_where_they_end_in_each_script(text: str, sentences: int):
    ends = [kind for _, kind in Breaks(text).words if kind.name in ("SENTENCE", "PARAGRAPH", "END")]

    assert len(ends) == sentences


def test_thai_is_cut_at_its_spaces():
    text = prose("th")

    segments = cut(text, 6)

    assert len(segments) > 3
    assert " ".join(words(segments)) == text


def test_pauses_follow_what_ends():
    question = "And is this second one of them really long enough to be said by itself as well, my friend? "
    last = "Here the paragraph comes to its end, at long last, and everybody is glad.\n\n"
    endless = "A sentence that will not end for a long time, and then some more, " * 4

    segments = cut(f"{question}{question.replace('?', '.')}{last}{endless}", 5.5)

    pauses = [0.25, 0.2, PAUSE_SECONDS[Break.PARAGRAPH], PAUSE_SECONDS[Break.CLAUSE]]
    assert [segment.pause_after for segment in segments[:4]] == pauses
    assert pauses[2:] == [0.4, 0.1]


def test_short_sentences_are_said_together():
    segments = cut("Yes. " * 50, 4)

    assert all(segment.seconds >= MIN_SECONDS for segment in segments)
    assert len(segments) < 10


def test_a_letter_that_python_does_not_know_yet_is_said():
    assert words(cut("\U00031350", 4)) == ["\U00031350"]


def test_a_short_text_is_one_segment():
    assert cut("Hello there!", 4) == [Segment("Hello there!", speaking_seconds("Hello there!"), 0.0)]


def test_a_short_end_is_not_left_over():
    segments = cut(
        "This is a sentence of about four and a half seconds, I would say, more or less. Bye!", 4.5
    )

    assert len(segments) == 1


def test_a_text_in_three_languages_is_cut_in_each():
    text = f"{prose('de')} {prose('zh')} {prose('ar')}"

    segments = cut(text, 8)

    assert all(3 <= segment.seconds <= 14 for segment in segments)
    assert all(segment.pause_after >= 0.1 for segment in segments[:-1])


def test_there_is_less_left_after_each_segment():
    segments = Segmenter(prose("en"))
    left = [segments.seconds_left]
    while segments.next(6):
        left.append(segments.seconds_left)

    assert left == sorted(left, reverse=True)
    assert left[-1] == 0


async def test_a_text_can_be_read_off_the_loop():
    first = (await segmenter(prose("en"))).next(4)

    assert first is not None
    assert first.text.startswith("See you at eight.")


@pytest.mark.parametrize(
    "text",
    [
        "Ο κ. Παπαδόπουλος ήρθε στις 5 μ.μ. στο σπίτι μας.",
        "Η οδ. Ερμού, π.χ. εδώ.",
        "कल डॉ. शर्मा आए।",
        "قال د. أحمد اليوم.",
        "Gặp TS. Nguyễn ở TP. Hồ Chí Minh.",
        "น.ส. สมหญิงและ ดร. สมชายมา",
        "Проф. Шевченко живе на вул. Хрещатик у м. Київ.",
    ],
)
def test_an_abbreviation_ends_no_sentence(text: str) -> None:
    assert [text[:index] for index, kind in Breaks(text).words if kind is Break.SENTENCE] == []


def test_after_an_abbreviated_word_sentences_still_end() -> None:
    text = "Ο κ. Νίκος ήρθε. Μετά έφυγε. Проф. Коваль прийшов. Він пішов."

    ends = [text[:index].split()[-1] for index, kind in Breaks(text).words if kind is Break.SENTENCE]

    assert ends == ["ήρθε.", "έφυγε.", "прийшов."]


def test_a_long_korean_sentence_is_cut_where_a_verb_goes_on() -> None:
    text = "오늘은 정말 좋은 날씨네요 그래서 공원에 가서 산책을 하려고 합니다 그리고 저녁을 먹을 거예요."

    first = Segmenter(text).next(4)

    assert first is not None
    assert first.text.endswith(("가서", "하려고"))
    assert first.seconds < 6


@pytest.mark.parametrize(
    "address",
    [
        "jane dot doe at mail dot example dot com",
        "a Punkt b ät example Punkt com",
        "bob arroba ejemplo punto es",
    ],
)
def test_an_address_in_words_is_not_cut(address: str) -> None:
    text = f"one two {address} three four"

    inside = range(text.index(address) + 1, text.index(address) + len(address))

    assert [index for index, _ in Breaks(text).words if index in inside] == []
