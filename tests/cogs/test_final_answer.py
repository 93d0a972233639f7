"""An answer is final when Discord has taken it: whatever is refused or breaks, one stands there at last."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import aiohttp
import pytest

from bot.delivery.offer import MAX_FILE_BYTES, Upload
from bot.delivery.reply import Acknowledgement, Reply, _EditPace
from bot.models import Progress, Stage
from rehearsal.answers import Answer as ShownAnswer
from rehearsal.answers import AnswerState
from rehearsal.records import Message
from rehearsal.rest.call import Misbehaviour
from rehearsal.rest.router import RecordedRequest
from rehearsal.server import Rehearsal
from tests.fakes import virtual_time
from tests.fakes.held_bot import HeldBot
from tests.rehearsal.conftest import logged_in
from tests.scenes import DEADLINE

MAKING = "Making the speech …"
WORDS = "AI voice · requested by Alice · 1.0 s"
ALWAYS = 10_000
TEN_MEBIBYTES = 10 * 1024 * 1024

REFUSALS: dict[str, tuple[int, int]] = {
    "too large": (413, 40005),
    "too large by its other code": (400, 50045),
    "malformed": (400, 50035),
    "AutoMod": (403, 240000),
    "AutoMod of messages": (400, 200000),
    "missing permissions": (403, 50013),
    "missing access": (403, 50001),
    "something new": (418, 123456),
}
GONE: dict[str, tuple[int, int]] = {
    "token over": (401, 50027),
    "message deleted": (404, 10008),
    "webhook unknown": (404, 10015),
}


def _refused(code: int) -> dict[str, Any]:
    return {"message": "Refused", "code": code}


class SpeechOf:
    """A file that is made as small as a place asks for, down to ``smallest`` bytes."""

    too_large: ClassVar[str] = "That is too long."

    def __init__(self, largest: int = 1_000, smallest: int = 1_000) -> None:
        self.largest = largest
        self.smallest = smallest
        self.asked: list[int] = []

    async def fitting(self, max_bytes: int) -> Upload | None:
        self.asked.append(max_bytes)
        if max_bytes < self.smallest:
            return None
        return Upload("hello.ogg", bytes(min(self.largest, max_bytes)))


@dataclass
class Asked:
    """Alice has asked for something in #general, and the bot holds her interaction."""

    rehearsal: Rehearsal
    shown: ShownAnswer
    answer: Reply

    @property
    def visible(self) -> list[Message]:
        """All that stands anywhere for Alice to read."""
        channels = self.rehearsal.directory.channels.values()
        found = [message for channel in channels for message in channel.history]
        if self.shown.state is AnswerState.FAILED:  # Discord's app has put its own sentence in its place
            found = [message for message in found if message is not self.shown.message]
        aside = self.shown.message
        is_aside = aside is not None and aside.ephemeral and not aside.deleted
        return [*found, aside] if aside is not None and is_aside else found

    @property
    def edits(self) -> list[RecordedRequest]:
        """The edits of the original response that Discord has got."""
        requests = self.rehearsal.requests
        return [one for one in requests if one.method == "PATCH" and one.path.endswith("/@original")]

    def fail(
        self, status: int, code: int, *, method: str = "PATCH", part: str = "@original", **more: Any
    ) -> None:
        """Let Discord refuse this again and again."""
        more.setdefault("times", ALWAYS)
        self.rehearsal.misbehave(Misbehaviour(method, part, status, _refused(code), **more))

    def cut(self, *, method: str = "PATCH", part: str = "@original", **more: Any) -> None:
        """Let the connection break."""
        more.setdefault("times", ALWAYS)
        self.rehearsal.misbehave(Misbehaviour(method, part, cuts=True, **more))

    async def make(self) -> None:
        """Acknowledge, and show that it is being made."""
        await self.answer.acknowledge()
        self.answer.show(MAKING)
        await self.shown.until(lambda seen: seen.content.endswith("when it's done."), timeout=DEADLINE)

    async def finish(self, upload: Any = None, **more: Any) -> None:
        """Give the answer, and hang never."""
        async with asyncio.timeout(DEADLINE):
            await self.answer.finish(WORDS, upload or SpeechOf(), **more)

    def the_one(self) -> Message:
        """Return the only message that stands there, which is no progress."""
        assert len(self.visible) == 1, [message.content for message in self.visible]
        message = self.visible[0]
        assert not message.thinking
        assert not message.content.endswith("…")
        assert "when it's done" not in message.content
        return message


@pytest.fixture
async def rehearsal() -> AsyncIterator[Rehearsal]:
    async with Rehearsal() as rehearsal:
        yield rehearsal


@pytest.fixture
async def bot(rehearsal: Rehearsal) -> AsyncIterator[HeldBot]:
    guild = rehearsal.world.add_guild("The Aviary")
    guild.add_text_channel("general")
    async with logged_in(rehearsal) as bot:
        yield bot


async def asked(rehearsal: Rehearsal, bot: HeldBot, *, nitro: bool = False, **options: float) -> Asked:
    guild = rehearsal.world.add_guild("A house")
    channel = guild.add_text_channel("talk")
    person = rehearsal.world.add_person("Alice", nitro=nitro)
    guild.add_member(person)
    await rehearsal.caught_up()
    shown = await person.slash(channel, "hold")
    options = {
        "token_seconds": 30.0,
        "edit_seconds": 0.01,
        "pause_seconds": 0.01,
        "post_seconds": 0.5,
    } | options
    return Asked(rehearsal, shown, Reply(await bot.next(), **options))


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refused_file_leaves_the_words_and_the_reason(rehearsal: Rehearsal, bot: HeldBot, name: str):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.fail(*REFUSALS[name], only_files=True)

    await alice.finish()

    reason, words = alice.the_one().content.split("\n")
    assert words == WORDS
    assert reason.endswith(".")
    assert alice.the_one().files == []
    assert alice.answer.is_final


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refused_edit_is_answered_by_the_bot_s_own_message(
    rehearsal: Rehearsal, bot: HeldBot, name: str
):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.fail(*REFUSALS[name])

    await alice.finish()

    assert alice.the_one().content == WORDS
    assert [file.name for file in alice.the_one().files] == ["hello.ogg"]
    assert alice.shown.state is AnswerState.DELETED
    assert alice.answer.is_final


@pytest.mark.parametrize("name", GONE)
async def test_an_answer_that_is_gone_is_posted_at_once(rehearsal: Rehearsal, bot: HeldBot, name: str):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.fail(*GONE[name])

    await alice.finish()

    assert [file.name for file in alice.the_one().files] == ["hello.ogg"]


@pytest.mark.parametrize("name", REFUSALS)
async def test_where_every_message_is_refused_nothing_says_that_it_is_being_made(
    rehearsal: Rehearsal, bot: HeldBot, name: str, caplog: pytest.LogCaptureFixture
):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.fail(*REFUSALS[name])
    alice.fail(*REFUSALS[name], method="POST", part="/messages")

    await alice.finish()

    assert alice.visible == []
    assert not alice.answer.is_final
    told = [
        record
        for record in caplog.records
        if record.name == "bot.delivery.reply" and record.levelname == "ERROR"
    ]
    assert len(told) == 1
    assert str(REFUSALS[name][1]) in told[0].getMessage()
    assert "Alice" not in told[0].getMessage()


async def test_where_the_server_is_closed_the_answer_comes_in_private(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.fail(403, 50013)
    alice.fail(403, 50013, method="POST", part=f"/channels/{alice.shown.message.channel_id}/messages")  # type: ignore[union-attr]

    await alice.finish()

    assert alice.the_one().guild_id is None
    assert [file.name for file in alice.the_one().files] == ["hello.ogg"]


@pytest.mark.parametrize("carried_out", [False, True])
async def test_a_connection_that_breaks_for_a_while_costs_nothing(
    rehearsal: Rehearsal, bot: HeldBot, carried_out: bool
):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.cut(times=9, carried_out=carried_out)

    await alice.finish()

    assert alice.the_one().content == WORDS
    assert [file.name for file in alice.the_one().files] == ["hello.ogg"]
    assert alice.shown.state is AnswerState.REPLIED


async def test_a_connection_that_breaks_under_every_file_leaves_the_words(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.cut(only_files=True)

    await alice.finish()

    assert alice.the_one().content == (
        "The connection to Discord broke, so the file is missing. Try again in a minute.\n" + WORDS
    )


async def test_a_file_that_arrived_unconfirmed_is_not_called_missing(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.cut(times=2, carried_out=True)
    alice.fail(413, 40005, only_files=True)

    await alice.finish()

    assert alice.the_one().content == WORDS
    assert [file.name for file in alice.the_one().files] == ["hello.ogg"]


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_an_edit_that_fails_until_the_token_ends_is_posted(
    rehearsal: Rehearsal, bot: HeldBot, status: int
):
    alice = await asked(rehearsal, bot, token_seconds=1.0)
    await alice.make()
    alice.fail(status, 0)

    await alice.finish()

    assert [file.name for file in alice.the_one().files] == ["hello.ogg"]


async def test_a_post_that_nobody_confirms_is_found_and_not_repeated_in_private(
    rehearsal: Rehearsal, bot: HeldBot
):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.fail(*GONE["token over"])
    alice.cut(method="POST", part="/messages", carried_out=True)

    await alice.finish()

    assert [file.name for file in alice.the_one().files] == ["hello.ogg"]
    assert alice.answer.is_final


@pytest.mark.parametrize("carried_out", [False, True])
async def test_a_post_that_breaks_off_is_never_there_twice(
    rehearsal: Rehearsal, bot: HeldBot, carried_out: bool
):
    alice = await asked(rehearsal, bot, post_seconds=DEADLINE)
    await alice.make()
    alice.fail(*GONE["token over"])
    alice.cut(method="POST", part="/messages", times=5, carried_out=carried_out)

    await alice.finish()

    assert alice.the_one().content == WORDS
    assert [file.name for file in alice.the_one().files] == ["hello.ogg"]


async def test_a_late_answer_of_a_nitro_member_is_made_for_the_place_it_goes_to(
    rehearsal: Rehearsal, bot: HeldBot
):
    alice = await asked(rehearsal, bot, nitro=True, token_seconds=0.0)
    await alice.answer.acknowledge()
    speech = SpeechOf(largest=500 * TEN_MEBIBYTES)

    await alice.finish(speech)

    assert speech.asked == [TEN_MEBIBYTES]
    assert [len(file.data) for file in alice.the_one().files] == [TEN_MEBIBYTES]


async def test_a_boosted_server_gets_the_file_that_its_boosts_allow(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot, token_seconds=0.0)
    await alice.answer.acknowledge()
    guild_id = alice.shown.message.guild_id  # type: ignore[union-attr]
    guild = bot.get_guild(guild_id or 0)
    assert guild is not None
    guild.premium_tier = 2
    rehearsal.directory.guilds[guild.id].premium_tier = 2
    speech = SpeechOf(largest=12 * 1024 * 1024)

    await alice.finish(speech)

    assert guild.filesize_limit > MAX_FILE_BYTES  # which no request may exceed
    assert speech.asked == [MAX_FILE_BYTES]
    assert [len(file.data) for file in alice.the_one().files] == [12 * 1024 * 1024]


async def test_a_file_that_is_refused_for_its_size_is_made_smaller(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot, nitro=True)
    await alice.make()
    alice.fail(413, 40005, only_files=True, times=1)
    speech = SpeechOf(largest=11 * 1024 * 1024)

    await alice.finish(speech)

    assert [len(file.data) for file in alice.the_one().files] == [TEN_MEBIBYTES]


async def test_a_file_that_cannot_be_so_small_leaves_the_words_and_the_cure(
    rehearsal: Rehearsal, bot: HeldBot
):
    alice = await asked(rehearsal, bot)
    await alice.make()

    await alice.finish(SpeechOf(smallest=11 * 1024 * 1024))

    assert alice.the_one().content == f"That is too long.\n{WORDS}"


async def test_a_private_answer_is_never_posted_for_all_to_read(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot)
    await alice.answer.acknowledge(Acknowledgement.EPHEMERAL)
    alice.fail(*GONE["token over"])

    await alice.finish()

    posted = [message for message in alice.visible if message.content == WORDS]
    assert [message.guild_id for message in posted] == [None]


async def test_words_under_an_answer_do_not_undo_its_reason(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.fail(413, 40005, only_files=True)
    await alice.finish()
    before = alice.the_one().content

    await alice.answer.amend("Not all of it was heard.")

    assert alice.the_one().content == f"{before}\nNot all of it was heard."


async def test_the_reason_for_a_file_does_not_promise_one_that_is_missing(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.fail(403, 50013, only_files=True)

    await alice.finish(because="I lost the voice channel")

    content = alice.the_one().content
    assert content.startswith("I lost the voice channel. I can't send the file:")
    assert '"Attach Files"' in content


async def test_what_may_not_be_given_any_more_is_asked_before_every_try(rehearsal: Rehearsal, bot: HeldBot):
    class Withdrawn(SpeechOf):
        async def fitting(self, max_bytes: int) -> Upload | None:
            if self.asked:
                raise LookupError("withdrawn")
            return await super().fitting(max_bytes)

    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.cut(times=1, carried_out=True)

    with pytest.raises(LookupError):
        await alice.finish(Withdrawn())

    assert not alice.answer.is_final
    await alice.answer.finish("The voice was withdrawn.")
    assert alice.the_one().content == "The voice was withdrawn."
    assert alice.the_one().files == []


async def test_an_answer_that_nobody_confirms_is_found_and_kept(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot, token_seconds=1.0)
    await alice.make()
    alice.cut(carried_out=True)
    alice.fail(403, 50001, method="POST", part="/messages")

    await alice.finish()

    assert [file.name for file in alice.the_one().files] == ["hello.ogg"]
    assert alice.answer.is_final


async def test_what_was_pressed_is_not_deleted_with_an_answer(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot)
    interaction = alice.answer._interaction
    await interaction.response.send_message("pressed")
    alice.fail(400, 50035)
    alice.fail(400, 50035, method="POST", part="/messages")

    await alice.finish()

    assert alice.the_one().content == "pressed"


FAULTS = [
    *(Misbehaviour("", "", status, _refused(code)) for status, code in (*REFUSALS.values(), *GONE.values())),
    *(Misbehaviour("", "", status) for status in (429, 500, 502, 503)),
    Misbehaviour("", "", 429, "<html>a proxy says this</html>"),
    Misbehaviour("", "", 200, "<html>a proxy says this</html>"),
    Misbehaviour("", "", cuts=True),
    Misbehaviour("", "", cuts=True, carried_out=True),
]
STAGES = (
    {"method": "PATCH", "path_part": "@original"},
    {"method": "PATCH", "path_part": "@original", "only_files": True},
    {"method": "POST", "path_part": "/messages"},
    {"method": "POST", "path_part": "/messages", "only_files": True},
)


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 40))]
)
async def test_faults_in_any_order_end_in_one_answer_or_in_none(
    rehearsal: Rehearsal, bot: HeldBot, seed: int
):
    chance = random.Random(seed)
    rehearsal.interactions.token_seconds = 1.5
    alice = await asked(rehearsal, bot, token_seconds=1.5, post_seconds=1.0)
    if seed % 2:
        await alice.make()
    else:  # the acknowledgement came through, and nobody said so
        alice.cut(method="POST", part="/callback", carried_out=True, times=1)
        with suppress(aiohttp.ClientError, OSError):
            await alice.answer.acknowledge()
    for _ in range(chance.randint(1, 4)):
        fault = chance.choice(FAULTS)
        stage: Any = chance.choice(STAGES)
        rehearsal.misbehave(replace(fault, times=chance.choice([1, 2, 5, ALWAYS]), **stage))
    alice.answer.show(MAKING)

    await alice.finish()

    if alice.answer.is_final:
        content = alice.the_one().content
        assert content == WORDS or content.split("\n")[0].endswith(".")
    else:
        assert alice.visible == []


class _Making:
    """Something that is being made, and has hardly begun."""

    progress = Progress(Stage.MAKING)


async def test_progress_that_ends_before_it_is_due_costs_no_edit(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot, progress_after_seconds=3_600.0, token_seconds=7_200.0)
    await alice.answer.acknowledge()
    alice.answer.show_progress(_Making())
    await rehearsal.caught_up()  # an edit that is not held back is on its way by now

    await alice.finish()

    assert [edit.json["content"] for edit in alice.edits] == [WORDS]


async def test_progress_that_is_due_is_edited_in_before_the_end(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot, progress_after_seconds=0.0, token_seconds=7_200.0)
    await alice.answer.acknowledge()
    alice.answer.show_progress(_Making())
    await alice.shown.until(lambda seen: seen.content == MAKING, timeout=DEADLINE)

    await alice.finish()

    assert [edit.json["content"] for edit in alice.edits] == [MAKING, WORDS]


async def test_a_line_is_shown_at_once_although_progress_is_not_due(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot, progress_after_seconds=3_600.0, token_seconds=7_200.0)
    await alice.answer.acknowledge()
    alice.answer.show_progress(_Making())
    await rehearsal.caught_up()

    alice.answer.show("Speaking in Perch")
    await alice.shown.until(lambda seen: seen.content == "Speaking in Perch", timeout=DEADLINE)

    await alice.finish()
    assert [edit.json["content"] for edit in alice.edits] == ["Speaking in Perch", WORDS]


async def test_a_token_about_to_end_is_told_although_progress_is_not_due(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot, progress_after_seconds=3_600.0, token_seconds=30.0)
    await alice.answer.acknowledge()

    alice.answer.show_progress(_Making())

    await alice.shown.until(lambda seen: seen.content.endswith("when it's done."), timeout=DEADLINE)
    await alice.finish()


def test_progress_of_a_hundred_who_wait_is_edited_twenty_times_a_second_in_all():
    async def edits_in_five_seconds() -> int:
        pace, edits = _EditPace(), 0
        for _ in range(50):
            edits += sum(pace.take() for _ in range(100))
            await asyncio.sleep(0.1)
        return edits

    assert 90 <= virtual_time.run(edits_in_five_seconds()) <= 111


QUOTE = "> what Alice wrote"


@pytest.mark.parametrize("name", ["AutoMod", "AutoMod of messages"])
async def test_what_automod_refuses_is_tried_without_what_the_member_wrote(
    rehearsal: Rehearsal, bot: HeldBot, name: str
):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.fail(*REFUSALS[name], times=1)

    await alice.finish(quote=QUOTE)

    assert alice.the_one().content == WORDS
    assert [file.name for file in alice.the_one().files] == ["hello.ogg"]


async def test_the_quote_stands_above_all_that_is_left(rehearsal: Rehearsal, bot: HeldBot):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.fail(413, 40005, only_files=True)

    await alice.finish(quote=QUOTE)

    assert alice.the_one().content == f"{QUOTE}\nThat is too long.\n{WORDS}"


@pytest.mark.parametrize("name", ["malformed", "AutoMod", "missing permissions"])
async def test_where_nothing_but_the_reason_is_taken_only_the_member_reads_it(
    rehearsal: Rehearsal, bot: HeldBot, name: str
):
    alice = await asked(rehearsal, bot)
    await alice.make()
    alice.fail(*REFUSALS[name], times=3 if name == "AutoMod" else 2)  # the quote, the file, the words

    await alice.finish(quote=QUOTE)

    told = alice.the_one()
    assert told.ephemeral
    assert told.content.endswith(".")
    assert WORDS not in told.content
    assert alice.answer.is_final
