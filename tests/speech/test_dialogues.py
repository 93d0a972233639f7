"""Several voices in one utterance: who says what, in which order, how loud, and what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from bot.audio.loudness import loudness
from bot.models import Line, Speech, SpokenVoice
from bot.text.dialogue import check_lines, lines_of
from rehearsal.faulty_tts_gateway.faults import Hold, Respond, SoundItself
from rehearsal.likeness import likeness
from tests.fakes.babble_engine import babble
from tests.fakes.voice_access import Shelf, voice
from tests.scenes import SENTENCES, TWO_PARTS, Hearing, Studio
from tests.speech.sounds import pcm_of
from tests.speech.test_long_texts import gaps

ALICE, BOB = voice("Alice"), voice("Bob")
VOICES = {"alice": ALICE, "bob": BOB}
SHORT = (
    Line(ALICE, "Good morning, did you sleep well?"),
    Line(BOB, "Not at all, the parrot talked in its sleep."),
    Line(ALICE, "And what did it say all night?"),
    Line(BOB, "It said your name, again and again."),
)


class Play:
    """Makes dialogues in a studio with voices from a shelf."""

    def __init__(self, studio: Studio, shelf: Shelf) -> None:
        self.studio = studio
        self.shelf = shelf

    async def make(
        self,
        lines: Sequence[Line[SpokenVoice]] = SHORT,
        *,
        title: str = "a play",
        hearing: Hearing | None = None,
        style: str | None = None,
        aloud: bool = True,
    ) -> Speech:
        access, spoken = self.shelf.access, tuple(lines)
        return await self.studio.make(
            title, lines=spoken, access=access, hearing=hearing, style=style, aloud=aloud
        )

    @property
    def cast(self) -> dict[str, str | None]:
        """Return which voice each text was cloned from, by its address; None where none was."""
        return {
            fields["text"]: _voice_in(fields.get("reference_audio_url")) for _, fields in self.studio.calls
        }


def _voice_in(url: str | None) -> str | None:
    return None if url is None else url.rpartition("/")[2].rpartition("-")[0].rpartition("-")[0]


@pytest.fixture
def play(studio: Studio, shelf: Shelf) -> Play:
    return Play(studio, shelf)


@pytest.mark.slow
async def test_each_line_is_said_in_its_voice_and_in_order(play: Play):
    hearing = Hearing()

    speech = await play.make(hearing=hearing)

    assert play.cast == {line.text: line.voice.id for line in SHORT if line.voice}
    assert {fields["prompt_text"] for _, fields in play.studio.calls} == {ALICE.transcript, BOB.transcript}
    assert play.shelf.addresses == {ALICE.id: 1, BOB.id: 1}
    assert len(hearing.frames) * 1_920 == len(pcm_of(speech))
    delays = [likeness(babble(line.text), pcm_of(speech)) for line in SHORT]
    assert all(match.correlation > 0.9 for match in delays)
    assert [match.delay for match in delays] == sorted(match.delay for match in delays)


async def test_what_a_member_types_becomes_a_dialogue(play: Play):
    typed = "alice: Good **morning**! / BOB: Who are you? / and what is it / Alice: Note: I am a bird."
    lines = check_lines(lines_of(typed, lambda name: VOICES.get(name.casefold())))

    await play.make(lines)

    assert play.cast == {
        "Good morning!": ALICE.id,
        "Who are you? / and what is it": BOB.id,
        "Note: I am a bird.": ALICE.id,
    }


async def test_between_two_speakers_is_a_pause_of_a_third_of_a_second(play: Play):
    speech = await play.make()

    between = sorted(gaps(speech))[-len(SHORT) + 1 :]
    assert all(0.29 <= gap <= 0.41 for gap in between), between


async def test_all_voices_are_equally_loud(play: Play):
    words = "This is as loud as all the rest of it is, or so they say."
    speech = await play.make([Line(None, words), Line(ALICE, words), Line(BOB, words)])

    levels = [loudness(third) for third in np.array_split(np.frombuffer(pcm_of(speech), "<i2"), 3)]
    assert max(levels) - min(levels) < 1.5


async def test_the_first_line_is_heard_while_the_second_is_being_made(play: Play):
    hearing, hold = Hearing(), Hold()
    play.studio.call_one_by_one()
    play.studio.faults.on_post(None, hold)

    making = asyncio.create_task(play.make(hearing=hearing))
    await hearing.heard(frames=20)
    assert not making.done()
    hold.released.set()

    assert not (await making).rest_is_missing


async def test_two_lines_are_begun_at_once_and_no_more(play: Play):
    play.studio.faults.every_post = hold = Hold()

    making = asyncio.create_task(play.make())
    await play.studio.called(times=2)
    begun = len(play.studio.calls)
    hold.released.set()
    await making

    assert begun == 2
    assert len(play.studio.calls) == len(SHORT)


async def test_a_long_line_is_made_in_parts_and_costs_no_more_calls_than_it_has(play: Play):
    lines = [Line(BOB, "Tell me a story."), Line(ALICE, SENTENCES), Line(BOB, TWO_PARTS)]
    hearing = Hearing()

    await play.make(lines, hearing=hearing)

    cast, texts = play.cast, play.studio.texts
    assert len(texts) == len(cast) > 4
    assert " ".join(text for text in texts if cast[text] == ALICE.id) == SENTENCES
    assert " ".join(text for text in texts if cast[text] == BOB.id) == f"Tell me a story. {TWO_PARTS}"
    counted = [progress.parts for progress in hearing.progress if progress.parts]
    assert counted[-1].made == counted[-1].of == len(texts)
    assert [parts.made for parts in counted] == sorted(parts.made for parts in counted)


async def test_the_voice_of_nobody_is_one_through_all_its_lines(play: Play):
    told = [Line(None, "So it began."), Line(ALICE, "Who is that?"), Line(None, "But nobody said a word.")]

    await play.make(told)

    calls = {fields["text"]: (path, fields) for path, fields in play.studio.calls}
    assert calls["So it began."][0] == "text-to-speech"
    assert calls["But nobody said a word."][0] == "voice-cloning"
    assert calls["But nobody said a word."][1]["prompt_text"] == "So it began."
    assert len(calls) == len(play.studio.calls) == 3


async def test_a_voice_that_begins_later_is_one_too(play: Play):
    told = [Line(ALICE, "I begin."), Line(None, SENTENCES), Line(ALICE, "I end.")]

    speech = await play.make(told)

    calls = [(path, fields) for path, fields in play.studio.calls if play.cast[fields["text"]] != ALICE.id]
    assert [path for path, _ in calls] == ["text-to-speech", *["voice-cloning"] * (len(calls) - 1)]
    assert {fields["prompt_text"] for _, fields in calls[1:]} == {calls[0][1]["text"]}
    assert not speech.rest_is_missing


async def test_where_generations_have_no_address_each_line_of_nobody_is_one_call(play: Play):
    play.studio.faults.every_post = SoundItself()
    told = [Line(None, TWO_PARTS), Line(ALICE, "Is that so?"), Line(None, f"It is. {TWO_PARTS}")]

    speech = await play.make(told)

    spoken = [fields["text"] for path, fields in play.studio.calls if path == "text-to-speech"]
    assert spoken[1:] == [TWO_PARTS, f"It is. {TWO_PARTS}"]
    assert not speech.rest_is_missing
    assert likeness(babble(spoken[-1]), pcm_of(speech)).correlation > 0.9


async def test_with_a_style_every_line_has_it(play: Play):
    await play.make(style="whispering")

    assert all(text.startswith("(whispering)") for text in play.studio.texts)
    assert all("prompt_text" not in fields for _, fields in play.studio.calls)


async def test_a_dialogue_is_kept_as_a_whole_whatever_it_is_called(play: Play):
    speech = await play.make()
    again = await play.make(title="the same play")
    await play.make(SHORT[:2])

    assert again == speech
    assert len(play.studio.calls) == len(SHORT) + 2


async def test_a_line_that_fails_leaves_out_the_rest(play: Play):
    play.studio.faults.on_post(None, None, Respond(500, "no"))

    speech = await play.make()

    assert speech.rest_is_missing
    assert likeness(babble(SHORT[0].text), pcm_of(speech)).correlation > 0.9
    assert len(play.studio.calls) <= 4


async def test_a_recording_that_moved_is_renewed_for_its_own_voice_alone(play: Play):
    play.shelf.broken = 1

    speech = await play.make(SHORT[:2], aloud=False)

    assert play.shelf.renewals.total() == 1
    assert len(play.studio.calls) == 3
    assert not speech.rest_is_missing


async def test_many_short_lines_are_a_call_each_and_one_sound(play: Play):
    lines = [Line((ALICE, BOB)[number % 2], f"Number {number} it is.") for number in range(12)]

    speech = await play.make(lines, aloud=False)

    assert play.cast == {line.text: line.voice.id for line in lines if line.voice}
    assert len(play.studio.calls) <= 13, "one may be made again"
    assert not speech.rest_is_missing
