"""/myna limits, /myna usage and /usage, what a member reads at a limit, and what the operator is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.library.usage import amount
from bot.library.voice import Scope
from rehearsal.errors import RehearsalError
from rehearsal.faulty_tts_gateway.faults import Respond
from rehearsal.permissions import Permission
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, refusal_of, typed, until, words_of

LONG = " ".join(f"This is sentence number {number}, and it says nothing that is new." for number in range(12))
"""Some twenty seconds, in several parts."""


@pytest.fixture
def limited(scene: Scene) -> Scene:
    scene.make_moderator(scene.alice)
    return scene


async def test_only_moderators_see_the_group_and_nobody_gets_past_discord(scene: Scene) -> None:
    assert "myna" not in scene.bob.offered(scene.general)
    with pytest.raises(RehearsalError):
        await scene.bob.slash(scene.general, "myna limits", seconds=5)
    scene.make_moderator(scene.alice)
    assert "myna" in scene.alice.offered(scene.general)
    assert "usage" in scene.bob.offered(scene.general)


async def test_a_server_without_rules_has_no_limits(limited: Scene) -> None:
    answer = await typed(limited.alice, limited.general, "myna limits")

    shown = answer.content.splitlines()
    assert shown[:5] == [
        "**Limits in this server**",
        "- Each member: no limit",
        "- Without that limit: nobody",
        "- Can't use me: nobody",
        "- I can be used in: every channel",
    ]
    assert shown[5].endswith("at midnight in UTC")


async def test_a_limit_that_a_moderator_sets_holds_and_says_when_it_goes_on(limited: Scene) -> None:
    answer = await typed(limited.alice, limited.general, "myna limits", seconds=8, time_zone="Asia/Tokyo")
    assert "- Each member: 8 seconds of new speech a day" in answer.content
    assert "at midnight in Asia/Tokyo" in answer.content
    await file_of(await limited.speak("The first is said, it is short.", output="here"))
    again = await limited.bob.slash(
        limited.general, "speak", text="The first is said, it is short.", output="here"
    )
    await file_of(again)  # kept, and free

    refused = "Some other words that take about as long as what was said, and then a bit."
    told = await words_of(await limited.speak(refused, output="here"))
    assert told.startswith("You've reached today's limit of 8 seconds of new speech. I can make more <t:")
    assert len(limited.asked) == 1

    mine = await typed(limited.alice, limited.general, "usage")
    assert "- Your limit: " in mine.content
    assert " of 8 seconds. It starts again <t:" in mine.content
    theirs = await typed(limited.bob, limited.general, "usage")
    assert theirs.content.startswith("You've had 0 seconds of new speech here today.")


async def test_a_long_text_stops_at_the_limit_and_says_so_once(limited: Scene) -> None:
    await typed(limited.alice, limited.general, "myna limits", seconds=30)

    answer = await limited.speak(LONG, output="here")
    await file_of(answer)

    assert answer.content.count("The rest is missing. You've reached today's limit of 30 seconds") == 1
    assert "<t:" in answer.content


async def test_a_lowered_limit_stops_until_the_next_day_and_a_raised_one_goes_on(limited: Scene) -> None:
    await file_of(await limited.speak("Good morning to all of you in the garden.", output="here"))
    await typed(limited.alice, limited.general, "myna limits", seconds=1)
    told = await words_of(await limited.speak("No.", output="here"))
    assert "today's limit of 1 second" in told or "the limit is 1 second a day" in told

    await typed(limited.alice, limited.general, "myna limits", seconds=0)

    await file_of(await limited.speak("And on it goes.", output="here"))


async def test_an_exempt_role_has_no_limit(limited: Scene) -> None:
    role = limited.guild.add_role("Trusted", Permission(0), limited.bob)
    answer = await typed(limited.alice, limited.general, "myna limits", seconds=2)

    await limited.alice.select(answer, "Roles without the daily limit", role)
    said = f"- Without that limit: <@&{role.id}>"
    await answer.until(lambda shown: said in shown.content, timeout=DEADLINE)

    await file_of(await limited.bob.slash(limited.general, "speak", text=LONG[:300], output="here"))
    told = await words_of(await limited.speak(f"So then. {LONG[:300]}", output="here"))
    assert "2 seconds" in told


@pytest.mark.parametrize("by", ["role", "member"])
async def test_who_is_excluded_reads_why_and_may_again_when_it_is_taken_back(limited: Scene, by: str) -> None:
    role = limited.guild.add_role("Muted", Permission(0), limited.bob)
    menu, chosen = {
        "role": ("Roles that can't use me", role),
        "member": ("Members who can't use me", limited.bob),
    }[by]
    answer = await typed(limited.alice, limited.general, "myna limits")
    await limited.alice.select(answer, menu, chosen)
    await answer.until(lambda shown: "- Can't use me: nobody" not in shown.content, timeout=DEADLINE)

    for command, options in (("speak", {"text": "Hello"}), ("usage", {})):
        told = await words_of(await limited.bob.slash(limited.general, command, **options))
        assert told == "Moderators have turned me off for you in this server. Ask one of them."
    await file_of(await limited.speak("Hello", output="here"))

    await limited.alice.select(answer, menu)
    await answer.until(lambda shown: "- Can't use me: nobody" in shown.content, timeout=DEADLINE)
    await file_of(await limited.bob.slash(limited.general, "speak", text="Hello", output="here"))


async def test_the_buttons_under_a_take_are_refused_too_where_its_member_is_excluded(limited: Scene) -> None:
    answer = await limited.bob.slash(limited.general, "speak", text="Hello", output="here")
    await file_of(answer)
    moderator = Scope(limited.guild.id, limited.alice.id, is_moderator=True)
    excluded = frozenset({limited.bob.id})
    await limited.bot.library.settings.set_usage_rules(moderator, excluded_members=excluded)

    told = await words_of(await limited.bob.press(answer, "Again"))

    assert told == "Moderators have turned me off for you in this server. Ask one of them."
    assert len(limited.asked) == 1


async def test_speech_is_made_in_the_channels_of_the_rule_and_their_threads(limited: Scene) -> None:
    answer = await typed(limited.alice, limited.general, "myna limits")
    other = limited.guild.add_text_channel("bots")
    await limited.alice.select(answer, "Channels where I can be used", other)
    await answer.until(lambda shown: f"- I can be used in: <#{other.id}>" in shown.content, timeout=DEADLINE)

    told = await words_of(await limited.speak("Hello", output="here"))
    assert told == f"I can't be used in this channel. Try <#{other.id}>."
    await file_of(await limited.alice.slash(other, "speak", text="Hello", output="here"))


async def test_the_menus_work_after_a_restart_and_for_moderators_only(limited: Scene) -> None:
    answer = await typed(limited.alice, limited.general, "myna limits")
    async with restarted(limited.bot, limited.settings, limited.rehearsal) as bot:
        limited.bot = bot
        await limited.alice.select(answer, "Members who can't use me", limited.bob)
        await answer.until(lambda shown: limited.bob.mention in shown.content, timeout=DEADLINE)
        limited.guild.roles[limited.guild.members[limited.alice.id].role_ids[-1]].permissions = 0

        told = await refusal_of(await limited.alice.select(answer, "Members who can't use me"))

        assert told.startswith("Only moderators can do this.")
        scope = Scope(limited.guild.id, limited.alice.id)
        assert (await bot.library.settings.usage_rules(scope.guild_id)).excluded_members == {limited.bob.id}


async def test_moderators_see_who_used_how_much_with_which_voice(limited: Scene) -> None:
    empty = await typed(limited.alice, limited.general, "myna usage")
    assert empty.content == "No new speech was made here in the last 14 days."
    await file_of(await limited.bob.slash(limited.general, "speak", text="Hello to everybody", output="here"))
    await limited.bot.synthesizer.aclose()

    shown = await typed(limited.alice, limited.general, "myna usage")

    lines = shown.content.splitlines()
    assert lines[0] == "**New speech here in the last 14 days**"
    assert len([line for line in lines if line.endswith(" s") and ("█" in line or "·" in line)]) == 14
    assert lines[15].count("█") == 20, "today has the longest bar"
    assert "in 1 call." in shown.content
    assert f"Members: {limited.bob.mention} " in shown.content


async def test_two_who_choose_the_last_seconds_at_once_get_one_answer_and_one_sentence(scene: Scene) -> None:
    settings = replace(scene.settings, daily_seconds_per_server=6)
    async with restarted(scene.bot, settings, scene.rehearsal) as bot:
        scene.bot = bot
        texts = [
            "Good morning to everybody here in the garden.",
            "Good evening to everybody out in a meadow.",
        ]
        answers = [
            await scene.alice.slash(scene.general, "speak", text=texts[0], output="here"),
            await scene.bob.slash(scene.general, "speak", text=texts[1], output="here"),
        ]
        ended = asyncio.gather(
            *(
                one.until(lambda shown: bool(shown.files) or "limit" in shown.content, timeout=DEADLINE)
                for one in answers
            )
        )
        await ended

        assert sorted(len(one.files) for one in answers) == [0, 1]
        (refused,) = [one.content for one in answers if not one.files]
        assert refused.startswith(f"This server has reached today's limit of {amount(6)} of new speech.")
        assert len(scene.asked) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            402,
            "I'm out of voice credit, so I can't make new speech. Top it up here: <https://pay.example/me>",
        ),
        (401, "The voice service rejected my key, so I can't make new speech. Check the key here: <https://"),
    ],
)
async def test_the_operator_is_told_once_of_an_outage_and_once_of_its_end_also_over_restarts(
    scene: Scene, status: int, said: str
) -> None:
    settings = replace(scene.settings, tts_refill_url="https://pay.example/me")
    for time in range(2):
        async with restarted(scene.bot, settings, scene.rehearsal) as bot:
            scene.bot = bot
            scene.faults.every_post = Respond(status, "no")
            for number in range(3):
                await words_of(await scene.speak(f"Number {number} of {time}", output="here"))
            await until(lambda: len(notices(scene)) == 1)
    scene.faults.every_post = None
    async with restarted(scene.bot, settings, scene.rehearsal) as bot:
        scene.bot = bot
        for number in range(2):
            await file_of(await scene.speak(f"It works, number {number}", output="here"))
        await until(lambda: len(notices(scene)) == 2)

    first, second = notices(scene)
    assert first.startswith(said)
    assert first.endswith(
        "I'll try again after 1, 2, 5 and then every 15 minutes, and tell you when it works."
    )
    assert second == "The voice service works again, and so do I."


async def test_an_operator_who_takes_no_messages_stops_nothing(scene: Scene) -> None:
    scene.alice.refuse_dms()
    scene.faults.on_post(Respond(402, "no"))
    assert "credit" in await words_of(await scene.speak("Hello", output="here"))
    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot
        await file_of(await scene.speak("Hello", output="here"))


def notices(scene: Scene) -> list[str]:
    """Return what the operator was told."""
    return [message.content for message in scene.alice.dms() if message.content and not message.files]


@pytest.mark.slow
@pytest.mark.usefixtures("fast_playback")
async def test_what_is_heard_ends_at_the_limit_and_is_not_begun_again(limited: Scene) -> None:
    await typed(limited.alice, limited.general, "myna limits", seconds=18)
    await limited.alice.join(limited.perch)

    answer = await limited.speak(LONG, output="voice channel")
    await answer.until(lambda shown: "Spoken in" in shown.content, timeout=DEADLINE)

    assert answer.content.count("The rest is missing. You've reached today's limit of 18 seconds") == 1
    texts = [asked["text"] for asked in limited.asked]
    assert len(texts) == len(set(texts))


async def test_everybody_sees_their_usage_outside_servers_too(scene: Scene) -> None:
    guest = scene.rehearsal.world.add_person("Gus", has_installed_app=True)
    private = scene.rehearsal.world.add_private_chat(guest, scene.bob)

    shown = await typed(guest, private, "usage")

    assert shown.content == (
        "You've had 0 seconds of new speech here today.\nThere's no limit. Takes that I've kept are free."
    )
    assert "myna" not in guest.offered(private)
