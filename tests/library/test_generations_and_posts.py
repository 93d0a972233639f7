from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from bot.library.database import Database
from bot.library.generations import Generation
from bot.library.recordings import Recordings
from bot.library.tables import GenerationRow
from bot.library.voices import Voices
from bot.library.withdrawal import MAX_TRIES, Post, RecordingPost, RecordingPosts, Undeleted
from bot.limits import GENERATION_DAYS
from tests.library.shelves import AVIARY, a_voice, ada, generations_in

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LINES = ("Hello “you”", "“Me?”")
KEPT = Generation("t1", AVIARY, 11, LINES, "calm", 2.5, 12, ("v1", "v2"), "likeness", "f" * 64, NOW)


async def test_a_generation_comes_back_as_it_was_kept(database: Database) -> None:
    generations = generations_in(database, now=lambda: NOW)
    bare = Generation("t2", None, 11, ("",), None, None, None, (), None, None, NOW)
    for generation in (KEPT, bare):
        await generations.keep(generation)

    assert await generations.get("t1") == KEPT
    assert await generations.get("t2") == bare
    assert await generations.get("t3") is None
    assert "Hello" not in repr(KEPT)


async def test_a_generation_kept_again_is_replaced_and_one_forgotten_is_gone(database: Database) -> None:
    generations = generations_in(database, now=lambda: NOW)
    await generations.keep(KEPT)
    await generations.keep(replace(KEPT, cache_key=None))
    assert await generations.get("t1") == replace(KEPT, cache_key=None)

    await generations.forget("t1")
    await generations.forget("t1")
    assert await generations.get("t1") is None


async def test_generations_are_kept_for_a_week(database: Database) -> None:
    now = NOW
    generations = generations_in(database, now=lambda: now)
    await generations.keep(KEPT)
    await generations.keep(replace(KEPT, id="t2", created_at=NOW + timedelta(hours=1)))

    now = NOW + timedelta(days=GENERATION_DAYS)
    assert await generations.get("t1") is None
    assert await generations.get("t2") is not None
    await generations.sweep()
    async with database.reading() as session:
        assert (await session.scalars(select(GenerationRow.id))).all() == ["t2"]


async def test_posts_outlive_their_voice_until_their_message_is_deleted(
    database: Database, voices: Voices, recordings: Recordings
) -> None:
    posts = RecordingPosts(database)
    voice = await a_voice(voices, recordings, "Alice")
    old = RecordingPost(voice.id, 1, 2, 3, "https://cdn.example/old?hm=1", NOW)
    new = RecordingPost(voice.id, 1, 4, 5, "https://cdn.example/new?hm=1", NOW + timedelta(hours=1))
    for post in (new, old):
        await posts.remember(post)

    assert await posts.of(voice.id) == [new, old]
    fresh = replace(old, url="https://cdn.example/fresh?hm=1", posted_at=NOW + timedelta(hours=2))
    await posts.remember(fresh)
    assert await posts.of(voice.id) == [fresh, new]
    assert await posts.to_delete(NOW) == []
    await voices.delete(ada, voice.id)
    assert await posts.to_delete(NOW) == [Post(1, 2), Post(1, 4)]
    await posts.forget(2)
    assert await posts.to_delete(NOW) == [Post(1, 4)]
    assert "hm=" not in repr(new)


@pytest.mark.slow
async def test_a_post_that_cannot_be_deleted_is_tried_ever_later_and_given_up_after_a_week(
    database: Database,
) -> None:
    posts = RecordingPosts(database)
    await posts.remember(RecordingPost("gone", 1, 2, 3, "https://cdn.example/a", NOW))
    now, tries = NOW, []

    while now < NOW + timedelta(days=30):
        if await posts.to_delete(now):
            tries.append(now - NOW)
            await posts.not_deleted(2, now)
        assert await posts.to_delete(now) == []
        now += timedelta(minutes=30)

    assert len(tries) == MAX_TRIES
    waits = [later - earlier for earlier, later in pairwise(tries)]
    assert waits == sorted(waits)
    assert timedelta(days=5) < tries[-1] < timedelta(days=10)
    assert await posts.undeleted() == Undeleted(waiting=0, given_up=1)


async def test_a_post_of_a_living_voice_that_could_not_be_deleted_is_not_used_again(
    database: Database, voices: Voices, recordings: Recordings
) -> None:
    posts = RecordingPosts(database)
    voice = await a_voice(voices, recordings, "Alice")
    await posts.remember(RecordingPost(voice.id, 1, 2, 3, "https://cdn.example/a", NOW))
    assert await posts.to_delete(NOW) == []

    await posts.not_deleted(2, NOW)

    assert await posts.of(voice.id) == []
    assert await posts.to_delete(NOW) == []
    assert await posts.to_delete(NOW + timedelta(hours=1)) == [Post(1, 2)]
    assert await posts.undeleted() == Undeleted(waiting=1, given_up=0)


async def test_posts_elsewhere_are_those_in_any_other_channel(database: Database) -> None:
    posts = RecordingPosts(database)
    for channel_id in (1, 2):
        await posts.remember(RecordingPost("v", channel_id, channel_id + 10, 3, "https://cdn.example/a", NOW))

    assert await posts.elsewhere(1) == [Post(2, 12)]
    assert sorted(await posts.elsewhere(None), key=lambda post: post.message_id) == [Post(1, 11), Post(2, 12)]
