"""Paragraphs and lists in segments: where they end, and what is said together."""

from __future__ import annotations

import pytest

from benchmarks.sentences import SENTENCES
from bot.text.segments import MIN_SECONDS, PAUSE_SECONDS, Break, Segment
from tests.text.test_segments import cut, prose, words

SCRIPTS = ["en", "ru", "ar", "hi", "zh", "ja", "th", "my", "ko"]


@pytest.mark.parametrize("language", SCRIPTS)
@pytest.mark.parametrize("target", [4.5, 8, 14])
def test_no_segment_goes_on_into_the_next_paragraph(language: str, target: float):
    paragraphs = [prose(language), prose(language)[: len(prose(language)) // 2], prose(language)]

    segments = cut("\n\n".join(paragraphs), target)

    said = [""]
    for segment in segments:
        said[-1] += segment.text
        if segment.pause_after == PAUSE_SECONDS[Break.PARAGRAPH]:
            said.append("")
    assert ["".join(text.split()) for text in said] == ["".join(text.split()) for text in paragraphs]
    assert all(segment.seconds > 0.9 * MIN_SECONDS for segment in segments)


def test_short_paragraphs_are_said_together_and_none_is_left_over():
    segments = cut("\n\n".join(["Good morning.", "Here I am.", "Who is there? It is only me.", "Bye!"]), 14)

    assert words(segments) == ["Good morning. Here I am. Who is there? It is only me. Bye!"]


def test_a_first_paragraph_is_not_said_alone_if_it_is_much_shorter_than_asked_for():
    text = (
        "This is the first of them, of three seconds.\n\n"
        + "It is followed by a long one, of many words. " * 4
    )

    soon, late = cut(text, 4.2)[0], cut(text, 6)[0]

    assert soon == Segment("This is the first of them, of three seconds.", soon.seconds, 0.4)
    assert late.seconds > 4.5


def test_a_paragraph_that_ends_soon_is_not_cut_near_its_end():
    text = "Somebody rang the bell of the house by the river this morning. It was late.\n\n" + prose("en")

    first, second = cut(text, 4.2)[:2]

    assert first.text.endswith("late.")
    assert second.text.startswith(SENTENCES["en"][0])


@pytest.mark.parametrize("number", ["2", "$5", "1,000", "(12)", "v2.0", "+49 30 123"])
def test_a_paragraph_may_begin_with_a_number(number: str):
    paragraph = f"{number} is what it says there, in large letters, above the door of the house."

    segments = cut(f"{paragraph}\n\n{paragraph}", 5)

    assert words(segments) == [paragraph, paragraph]


def test_the_items_of_a_list_are_cut_between_them_and_never_after_their_number():
    items = [f"{number}. two litres of milk from the shop at the corner" for number in range(1, 9)]

    segments = cut("\n".join(f"{item}." for item in items), 4)

    assert words(segments) == [f"{item}." for item in items]
    assert {segment.pause_after for segment in segments[:-1]} == {PAUSE_SECONDS[Break.SENTENCE]}
