import discord
import pytest

from bot.playback.permissions import speak_permission_error
from tests.fakes.guild import ALICE, BORIS, BOT, BOT_ROLE, NORMAL, VIEW, GuildOfTests


def without(name: str) -> discord.Permissions:
    permissions = discord.Permissions(NORMAL.value)
    permissions.update(**{name: False})
    return permissions


def test_with_the_usual_permissions_it_can_speak() -> None:
    guild = GuildOfTests(NORMAL)

    assert speak_permission_error(guild.lounge, guild.me) is None


@pytest.mark.parametrize(
    ("name", "words"), [("view_channel", "View Channel"), ("connect", "Connect"), ("speak", "Speak")]
)
def test_a_missing_permission_is_named_in_the_words_of_discord(name: str, words: str) -> None:
    guild = GuildOfTests(NORMAL)
    denied = discord.Permissions(**{name: True})
    guild.overwrite(guild.lounge, BOT_ROLE, deny=denied)

    reason = speak_permission_error(guild.lounge, guild.me)

    assert reason is not None
    assert f'"{words}"' in reason
    assert guild.lounge.mention in reason
    assert "channel's settings" in reason


def test_a_permission_may_come_from_the_channel_alone() -> None:
    guild = GuildOfTests(VIEW)
    guild.overwrite(guild.lounge, BOT_ROLE, allow=discord.Permissions(connect=True, speak=True))

    assert speak_permission_error(guild.lounge, guild.me) is None


def test_an_administrator_is_stopped_by_nothing() -> None:
    guild = GuildOfTests(discord.Permissions(administrator=True))
    guild.lounge.user_limit = 1
    guild.enter(ALICE, guild.lounge)
    guild.overwrite(guild.lounge, BOT_ROLE, deny=NORMAL)

    assert speak_permission_error(guild.lounge, guild.me) is None


def test_a_full_channel_is_said_to_be_full() -> None:
    guild = GuildOfTests(NORMAL)
    guild.lounge.user_limit = 2
    guild.enter(ALICE, guild.lounge)
    assert speak_permission_error(guild.lounge, guild.me) is None

    guild.enter(BORIS, guild.lounge)
    reason = speak_permission_error(guild.lounge, guild.me)

    assert reason is not None
    assert "full" in reason
    assert '"Move Members"' in reason


def test_move_members_lets_it_into_a_full_channel() -> None:
    guild = GuildOfTests(NORMAL | discord.Permissions(move_members=True))
    guild.lounge.user_limit = 1
    guild.enter(ALICE, guild.lounge)

    assert speak_permission_error(guild.lounge, guild.me) is None


def test_a_full_channel_it_is_already_in_is_no_obstacle() -> None:
    guild = GuildOfTests(NORMAL)
    guild.lounge.user_limit = 1
    guild.enter(BOT, guild.lounge)

    assert speak_permission_error(guild.lounge, guild.me) is None


def test_in_the_afk_channel_nobody_can_be_heard() -> None:
    guild = GuildOfTests(NORMAL)

    assert "AFK" in (speak_permission_error(guild.afk, guild.me) or "")


def test_on_a_stage_it_would_only_listen() -> None:
    guild = GuildOfTests(NORMAL)

    assert '"Mute Members"' in (speak_permission_error(guild.stage, guild.me) or "")


def test_a_moderator_of_the_stage_steps_up_by_itself() -> None:
    guild = GuildOfTests(NORMAL | discord.Permissions(mute_members=True))

    assert speak_permission_error(guild.stage, guild.me) is None


@pytest.mark.parametrize("suppressed", [True, False])
def test_on_a_stage_it_speaks_when_it_was_invited(suppressed: bool) -> None:
    guild = GuildOfTests(NORMAL)
    guild.enter(BOT, guild.stage, suppress=suppressed)

    assert (speak_permission_error(guild.stage, guild.me) is None) is not suppressed


def test_a_stage_has_no_permission_to_speak() -> None:
    guild = GuildOfTests(without("speak") | discord.Permissions(mute_members=True))

    assert speak_permission_error(guild.stage, guild.me) is None


def test_server_muted_it_says_so() -> None:
    guild = GuildOfTests(NORMAL)
    guild.enter(BOT, guild.lounge, mute=True)

    assert "server-muted" in (speak_permission_error(guild.lounge, guild.me) or "")
