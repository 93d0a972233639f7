"""Usage: counted by day, and never over a limit, whoever asks at once and however often the bot starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.errors import MemberError, UsageLimitError
from bot.library.guild_settings import UsageRules, zones_like
from bot.library.library import Library
from bot.library.usage import EVERYBODYS, MINE, NO_LIMITS, THE_SERVERS, Budget, OperatorLimits, day_of
from bot.library.voice import Scope
from bot.limits import LEFT_GUILD_DAYS, RESERVATION_SECONDS
from bot.models import Allowance, Asker, Shards
from tests.library.consents import Clock
from tests.library.shelves import ADA, AVIARY, BEN, MOD, ROOKERY, SINGERS, moderator
from tests.library.statements import statements

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
Open = Callable[..., Any]


def ada(seconds: int | None = None, guild_id: int = AVIARY, zone: str = "UTC") -> Asker:
    """Return Ada, who may have so many seconds a day by the rules of a server."""
    return Asker(ADA, guild_id, Allowance(seconds, zone))


def ben(seconds: int | None = None, guild_id: int = AVIARY) -> Asker:
    return Asker(BEN, guild_id, Allowance(seconds))


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = NOON
    return clock


@pytest.fixture
def opened(url: str | None, tmp_path: Path, clock: Clock) -> Open:
    """Opens the library of a bot with these limits; several are so many processes with one database."""

    @asynccontextmanager
    async def opened(limits: OperatorLimits = NO_LIMITS) -> AsyncIterator[Library]:
        async with Library(url, tmp_path, speech_limits=limits, now=clock) as library:
            yield library

    return opened


async def used(library: Library, asker: Asker, seconds: float) -> None:
    """Let a call be made, and really cost so much."""
    (await library.usage.reserve(asker, seconds)).settle(seconds)


async def seconds_of(library: Library, asker: Asker) -> float:
    return (await library.usage.of_member(asker)).here


LIMITED = {
    "a member's": (OperatorLimits(member_seconds=10), ada(), ada(), "You've"),
    "a member's here": (NO_LIMITS, ada(10), ada(10), "You've"),
    "a server's": (OperatorLimits(server_seconds=10), ada(), ben(), "This server has"),
    "everybody's": (OperatorLimits(seconds=10), ada(), ben(guild_id=ROOKERY), "I've"),
}


@pytest.mark.parametrize("whose", LIMITED)
async def test_of_two_who_want_the_last_seconds_at_once_one_gets_them(opened: Open, whose: str):
    limits, first, second, said = LIMITED[whose]
    async with AsyncExitStack() as processes:
        bots = [await processes.enter_async_context(opened(limits)) for _ in range(2)]
        await used(bots[0], first, 3.0)

        asked = [bot.usage.reserve(who, 6.0) for bot in bots for who in (first, second)]
        found = await asyncio.gather(*asked, return_exceptions=True)

        refused = [str(one) for one in found if isinstance(one, UsageLimitError)]
        midnight = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp())
        sentence = (
            f"{said} reached today's limit of 10 seconds of new speech. I can make more <t:{midnight}:R>."
        )
        assert refused == [sentence] * 3
        assert len(found) == 4


async def test_of_many_calls_at_once_no_more_are_made_than_an_hour_allows(opened: Open, clock: Clock):
    async with AsyncExitStack() as processes:
        limits = OperatorLimits(calls_an_hour=5)
        bots = [await processes.enter_async_context(opened(limits)) for _ in range(2)]

        asked = [bot.usage.reserve(Asker(number, number), 1.0) for bot in bots for number in range(1, 9)]
        found = await asyncio.gather(*asked, return_exceptions=True)

        refused = [one for one in found if isinstance(one, UsageLimitError)]
        one_o_clock = int(datetime(2026, 11, 20, 13, tzinfo=UTC).timestamp())
        assert len(found) - len(refused) == 5
        assert {str(one) for one in refused} == {
            f"I've made as much new speech as I may this hour. I can make more <t:{one_o_clock}:R>."
        }
        clock.now += timedelta(hours=1)
        await bots[1].usage.reserve(ada(), 1.0)


async def test_nothing_is_lost_where_many_reserve_and_settle_at_once(opened: Open):
    async with AsyncExitStack() as processes:
        limits = OperatorLimits(
            member_seconds=1_000, server_seconds=1_000, seconds=1_000, calls_an_hour=1_000
        )
        bots = [await processes.enter_async_context(opened(limits)) for _ in range(2)]

        async def made(number: int) -> None:
            asker = Asker(number % 3, 50 + number % 2)
            charge = await bots[number % 2].usage.reserve(asker, 5.0, f"voice {number % 4}")
            await asyncio.sleep(0)
            charge.settle(1.0 if number % 5 else 0.0)

        await asyncio.gather(*map(made, range(60)))
    async with opened() as library:
        seen = [await library.usage.of_server(guild_id, Allowance()) for guild_id in (50, 51)]

    assert [sum(seconds for _, seconds in one.days) for one in seen] == [24.0, 24.0]
    assert [one.calls for one in seen] == [30, 30]
    assert [sum(seconds for _, seconds in one.voices) for one in seen] == [24.0, 24.0]


async def test_a_refused_call_counts_nowhere(opened: Open):
    async with opened(OperatorLimits(seconds=10)) as library:
        await used(library, ada(), 8.0)
        for _ in range(3):
            with pytest.raises(UsageLimitError):
                await library.usage.reserve(ben(guild_id=ROOKERY), 5.0)

        assert await seconds_of(library, ben(guild_id=ROOKERY)) == 0.0
        await used(library, ben(guild_id=ROOKERY), 2.0)


async def test_a_reservation_is_one_statement_and_one_transaction(opened: Open):
    async with opened(OperatorLimits(seconds=100)) as library:
        for voice_id in (None, "v" * 22):
            with statements() as counted:
                await library.usage.reserve(ada(50), 2.0, voice_id)
            assert (len(counted.sent), counted.transactions) == (1, 1)


async def test_what_a_call_really_was_takes_the_place_of_what_was_reserved(opened: Open):
    async with opened(OperatorLimits(member_seconds=10)) as library:
        (await library.usage.reserve(ada(), 9.0)).settle(2.5)
        (await library.usage.reserve(ada(), 7.0)).settle(0.0)  # refused, which costs nothing
        (await library.usage.reserve(ada(), 7.5)).settle()  # never answered: it may have been billed
        with pytest.raises(UsageLimitError):
            await library.usage.reserve(ada(), 0.1)
        assert await seconds_of(library, ada()) == 10.0


async def test_a_charge_is_settled_once(opened: Open):
    async with opened() as library:
        charge = await library.usage.reserve(ada(), 4.0)
        for seconds in (3.0, 1.0, None):
            charge.settle(seconds)
    async with opened() as library:
        assert await seconds_of(library, ada()) == 3.0


async def test_a_restart_forgets_nothing_and_a_new_limit_counts_what_was_before(opened: Open):
    async with opened() as library:
        await used(library, ada(), 30.0)
    async with opened(OperatorLimits(member_seconds=40, server_seconds=1_000)) as library:
        await used(library, ada(), 6.0)
        with pytest.raises(UsageLimitError):
            await library.usage.reserve(ada(), 6.0)
        assert await seconds_of(library, ada()) == 36.0


@pytest.mark.parametrize("limit", [29, 5, 1])
async def test_a_limit_lowered_below_what_is_used_stops_until_the_next_day(
    opened: Open, clock: Clock, limit: int
):
    async with opened() as library:
        await used(library, ada(40), 30.0)
        with pytest.raises(UsageLimitError, match="today's limit"):
            await library.usage.reserve(ada(limit), 0.5)
        clock.now += timedelta(days=1)
        await used(library, ada(limit), 0.5)
        assert await seconds_of(library, ada(limit)) == 0.5


async def test_what_is_longer_than_a_whole_day_allows_is_told_so(opened: Open):
    async with opened() as library:
        with pytest.raises(UsageLimitError) as refused:
            await library.usage.reserve(ada(30), 200.0)
        assert str(refused.value) == (
            "That's about 3 min 20 s of speech, and the limit is 30 seconds a day. Try a shorter text."
        )


async def test_a_reservation_of_a_bot_that_was_killed_lapses(opened: Open, clock: Clock):
    limits = OperatorLimits(member_seconds=10, calls_an_hour=1)
    async with opened(limits) as library:
        await library.usage.reserve(ada(), 8.0)  # and nobody settles it
    async with opened(limits) as library:
        clock.now += timedelta(seconds=RESERVATION_SECONDS - 1)
        with pytest.raises(UsageLimitError):
            await library.usage.reserve(ada(), 8.0)
        clock.now += timedelta(seconds=2)
        late = await library.usage.reserve(ada(), 8.0)
        clock.now += timedelta(seconds=RESERVATION_SECONDS + 1)
        await library.usage.sweep()
        late.settle(7.0)  # it was a slow call, and not a dead one
    async with opened(limits) as library:
        assert await seconds_of(library, ada()) == 7.0


async def test_a_member_is_limited_in_all_servers_together(opened: Open):
    async with opened(OperatorLimits(member_seconds=10)) as library:
        await used(library, ada(), 6.0)
        with pytest.raises(UsageLimitError):
            await library.usage.reserve(ada(guild_id=ROOKERY), 6.0)


async def test_servers_with_other_days_give_a_member_two_days_at_most(opened: Open):
    zones = ["UTC", "Asia/Tokyo", "America/New_York", "Pacific/Auckland", "Pacific/Honolulu", "Asia/Kolkata"]
    async with opened(OperatorLimits(member_seconds=10)) as library:
        made = 0
        for number, zone in enumerate(zones):
            try:
                await used(library, ada(guild_id=1_000 + number, zone=zone), 10.0)
                made += 1
            except UsageLimitError:
                pass
        assert made <= 2


async def test_each_limit_is_shown_once_also_where_days_begin_at_another_hour(opened: Open):
    limits = OperatorLimits(member_seconds=10, server_seconds=20, seconds=30)
    async with opened(limits) as library:
        for zone in ("UTC", "Asia/Tokyo"):
            shown = (await library.usage.of_member(ada(5, zone=zone))).limits
            assert [(one.whose, one.limit) for one in shown] == [
                *((MINE, 5), (MINE, 10)),
                *((THE_SERVERS, 20), (EVERYBODYS, 30)),
            ]


async def test_kept_rules_hold_in_another_process_at_once(opened: Open):
    async with opened() as here, opened() as there:
        await here.settings.set_usage_rules(moderator, seconds_a_day=60, excluded_members=frozenset({BEN}))
        await there.settings.set_usage_rules(moderator, exempt_roles=frozenset({SINGERS}))

        rules = await here.settings.usage_rules(AVIARY)
        assert rules == UsageRules(
            seconds_a_day=60, excluded_members=frozenset({BEN}), exempt_roles=frozenset({SINGERS})
        )
        assert await there.settings.usage_rules(ROOKERY) == UsageRules()
        with pytest.raises(MemberError):
            await here.settings.set_usage_rules(Scope(AVIARY, ADA), seconds_a_day=None)
        with pytest.raises(MemberError):
            await here.settings.set_usage_rules(moderator, allowed_channels=frozenset(range(1, 27)))
        assert await there.settings.usage_rules(AVIARY) == rules


def test_rules_say_who_may_speak_where_and_how_much():
    rules = UsageRules(
        seconds_a_day=60,
        exempt_roles=frozenset({1}),
        excluded_roles=frozenset({2}),
        excluded_members=frozenset({BEN}),
        allowed_channels=frozenset({7, 8}),
    )
    assert rules.permission_error(Scope(AVIARY, ADA), {7}) is None
    assert rules.permission_error(Scope(AVIARY, ADA), {99, 8}) is None, "a thread of an allowed channel"
    assert (
        rules.permission_error(Scope(AVIARY, ADA), {9}) == "I can't be used in this channel. Try <#7>, <#8>."
    )
    for scope in (Scope(AVIARY, BEN), Scope(AVIARY, ADA, frozenset({1, 2}))):
        refusal = rules.permission_error(scope, {7})
        assert refusal == "Moderators have turned me off for you in this server. Ask one of them."
    assert rules.allowance_of(Scope(AVIARY, ADA, frozenset({3}))).seconds == 60
    assert rules.allowance_of(Scope(AVIARY, ADA, frozenset({1}))).seconds is None
    assert UsageRules().permission_error(Scope(AVIARY, BEN), {9}) is None


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "now", "began", "ends"),
    [
        ("UTC", at(2026, 11, 20, 23, 59), at(2026, 11, 20), at(2026, 11, 21)),
        ("UTC", at(2026, 11, 21), at(2026, 11, 21), at(2026, 11, 22)),
        ("Asia/Kolkata", at(2026, 11, 20, 18, 29), at(2026, 11, 19, 18, 30), at(2026, 11, 20, 18, 30)),
        ("Asia/Kolkata", at(2026, 11, 20, 18, 30), at(2026, 11, 20, 18, 30), at(2026, 11, 21, 18, 30)),
        # 23 and 25 hours
        ("Europe/Berlin", at(2026, 3, 29, 12), at(2026, 3, 28, 23), at(2026, 3, 29, 22)),
        ("Europe/Berlin", at(2026, 10, 25, 12), at(2026, 10, 24, 22), at(2026, 10, 25, 23)),
        # clocks go from 00:00 to 01:00: there is no midnight
        ("Africa/Cairo", at(2024, 4, 25, 21, 59), at(2024, 4, 24, 22), at(2024, 4, 25, 22)),
        ("Africa/Cairo", at(2024, 4, 25, 22), at(2024, 4, 25, 22), at(2024, 4, 26, 21)),
        # clocks go from 24:00 back to 23:00: the last hour of the day is there twice
        ("Africa/Cairo", at(2024, 10, 31, 20, 30), at(2024, 10, 30, 21), at(2024, 10, 31, 22)),
        ("Africa/Cairo", at(2024, 10, 31, 21, 30), at(2024, 10, 30, 21), at(2024, 10, 31, 22)),
        # clocks go from 01:00 back to 00:00: midnight is there twice, and the day begins with the first
        ("America/Havana", at(2024, 11, 3, 4, 30), at(2024, 11, 3, 4), at(2024, 11, 4, 5)),
        ("America/Havana", at(2024, 11, 3, 5, 30), at(2024, 11, 3, 4), at(2024, 11, 4, 5)),
        # a day that never was
        ("Pacific/Apia", at(2011, 12, 30, 9), at(2011, 12, 29, 10), at(2011, 12, 30, 10)),
        ("Pacific/Apia", at(2011, 12, 30, 10), at(2011, 12, 30, 10), at(2011, 12, 31, 10)),
        # clocks went back over midnight, from 00:01 to 23:01
        ("America/St_Johns", at(2010, 11, 7, 2, 45), at(2010, 11, 6, 2, 30), at(2010, 11, 7, 3, 30)),
    ],
)
def test_a_day_is_from_midnight_to_midnight_by_the_clocks_of_a_server(
    zone: str, now: datetime, began: datetime, ends: datetime
):
    day = day_of(now, Allowance(zone=zone))

    assert (day.began, day.ends) == (began, ends)


@pytest.mark.parametrize(
    "zone", ["Africa/Cairo", "America/Havana", "Europe/Berlin", "Pacific/Apia", "Asia/Beirut"]
)
def test_every_moment_is_in_a_day_and_days_do_not_overlap(zone: str):
    for start in (at(2011, 12, 28), at(2024, 3, 25), at(2024, 4, 24), at(2024, 10, 24), at(2024, 11, 1)):
        last = day_of(start, Allowance(zone=zone))
        for quarter in range(8 * 24 * 4):
            now = start + timedelta(minutes=15 * quarter)
            day = day_of(now, Allowance(zone=zone))
            assert day.began <= now < day.ends
            assert day == last or day.began == last.ends
            last = day


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "Asia/Kolkata", "Etc/GMT+1"])
async def test_another_zone_begins_no_day_early(opened: Open, clock: Clock, zone: str):
    async with opened() as library:
        await library.settings.set_usage_rules(moderator, seconds_a_day=10)
        rules = await library.settings.usage_rules(AVIARY)
        scope = Scope(AVIARY, ADA)
        await used(library, Asker(ADA, AVIARY, rules.allowance_of(scope)), 10.0)

        for name in (zone, "Asia/Tokyo", zone.upper()):
            rules = await library.settings.set_usage_rules(moderator, time_zone=name)
            asker = Asker(ADA, AVIARY, rules.allowance_of(scope))
            with pytest.raises(UsageLimitError):
                await library.usage.reserve(asker, 1.0)
            assert await seconds_of(library, asker) == 10.0

        day = day_of(clock.now, asker.allowance)
        assert timedelta(hours=23) <= day.ends - day.began <= timedelta(hours=49)
        clock.now = day.ends
        rules = await library.settings.usage_rules(AVIARY)
        asker = Asker(ADA, AVIARY, rules.allowance_of(scope))
        await used(library, asker, 10.0)
        new = day_of(clock.now, asker.allowance)
        assert (new.began, rules.time_zone) == (day.ends, zone)
        assert new.began.astimezone(UTC) == day_of(clock.now, Allowance(zone=zone)).began


def test_a_zone_that_this_machine_does_not_know_is_utc():
    assert day_of(NOON, Allowance(zone="Moon/Tranquility")) == day_of(NOON, Allowance())


async def test_an_unknown_zone_is_refused_and_names_are_proposed(opened: Open):
    async with opened() as library:
        for name in ("Mars/Olympus", "", "../etc/passwd", "posix/UTC", "x" * 5_000, "\0"):
            with pytest.raises(MemberError, match="time zone"):
                await library.settings.set_usage_rules(moderator, time_zone=name)
    assert zones_like("berlin", 25) == ["Europe/Berlin"]
    assert zones_like("europe/b", 25)[0].startswith("Europe/B")
    assert zones_like("new york", 25) == ["America/New_York"]
    assert len(zones_like("", 25)) == 25


async def test_moderators_see_days_members_and_voices(opened: Open, clock: Clock):
    async with opened() as library:
        for who, seconds, voice_id in (
            (ada(), 5.0, "v" * 22),
            (ben(), 9.0, None),
            (ada(guild_id=ROOKERY), 90.0, None),
        ):
            (await library.usage.reserve(who, seconds, voice_id)).settle(seconds)
        clock.now += timedelta(days=3)
        await used(library, ada(), 2.0)
        await library.usage.sweep()
    async with opened() as library:
        seen = await library.usage.of_server(AVIARY, Allowance())

    assert len(seen.days) == 14
    assert {str(day): seconds for day, seconds in seen.days if seconds} == {
        "2026-11-20": 14.0,
        "2026-11-23": 2.0,
    }
    assert (seen.calls, seen.members, seen.voices) == (3, ((BEN, 9.0), (ADA, 7.0)), (("v" * 22, 5.0),))


async def test_what_is_old_is_deleted(opened: Open, clock: Clock):
    async with opened() as library:
        await used(library, ada(), 5.0)
        clock.now += timedelta(days=36)
        await library.usage.sweep()
        assert (await library.privacy.export(ADA))["usage"] == []


async def test_a_member_who_deletes_their_data_is_not_given_the_day_anew(opened: Open, clock: Clock):
    async with opened(OperatorLimits(member_seconds=10)) as library:
        await used(library, ada(), 4.0)
        clock.now += timedelta(days=5)
        await used(library, ada(), 9.0)
        exported = await library.privacy.export(ADA)
        assert sorted(row["milliseconds"] for row in exported["usage"]) == [4_000] * 2 + [9_000] * 2

        await library.privacy.delete(ADA)

        with pytest.raises(UsageLimitError):
            await library.usage.reserve(ada(), 4.0)
        assert (await library.usage.of_server(AVIARY, Allowance())).members == ()
        clock.now += timedelta(days=4)
        await library.usage.sweep()
        assert (await library.privacy.export(ADA))["usage"] == []


async def test_who_is_excluded_stays_so_after_deleting_their_data_and_reads_of_it(opened: Open):
    async with opened() as library:
        await library.settings.set_usage_rules(moderator, excluded_members=frozenset({ADA}))
        await library.privacy.delete(ADA)

        assert (await library.privacy.export(ADA))["excluded_from"] == [str(AVIARY)]
        assert (await library.settings.usage_rules(AVIARY)).excluded_members == {ADA}


async def test_a_server_that_was_left_takes_its_usage_along(opened: Open, clock: Clock):
    async with opened() as library:
        await library.settings.set_usage_rules(moderator, seconds_a_day=5)
        await used(library, Asker(MOD, AVIARY), 5.0)
        await library.settings.left(AVIARY)
        library.settings.looked_at = Shards()
        clock.now += timedelta(days=LEFT_GUILD_DAYS + 1)
        await library.tidy()
        assert (await library.usage.of_server(AVIARY, Allowance())).members == ()
        assert await library.settings.usage_rules(AVIARY) == UsageRules()


async def test_an_outage_is_told_once_by_all_processes_and_after_restarts(opened: Open):
    async with opened() as here, opened() as there:
        told = await asyncio.gather(here.usage.outage_begins("speech"), there.usage.outage_begins("speech"))
        assert sorted(told) == [False, True]
    async with opened() as here, opened() as there:
        assert await here.usage.outage_begins("speech") is False
        assert await there.usage.outage_ends("disk") is False
        ends = await asyncio.gather(here.usage.outage_ends("speech"), there.usage.outage_ends("speech"))
        assert sorted(ends) == [False, True]
        assert await here.usage.outage_ends("speech") is False
        assert await there.usage.outage_begins("speech") is True


async def test_what_all_servers_have_had_is_known_from_the_start_and_begins_anew_each_day(
    opened: Open, clock: Clock
):
    limits = OperatorLimits(seconds=100, calls_an_hour=7)
    async with opened(limits) as library:
        await used(library, ada(), 4.0)
        await used(library, ben(guild_id=ROOKERY), 3.0)
        assert library.usage.budget == Budget(7.0, 100, 2, 7)
    async with opened(limits) as library:
        assert library.usage.budget == Budget(7.0, 100, 2, 7)
        clock.now += timedelta(hours=1)
        assert await library.usage.look() == Budget(7.0, 100, 0, 7)
        clock.now += timedelta(days=1)
        assert await library.usage.look() == Budget(0.0, 100, 0, 7)
