"""What the room keeps has bounds."""

from __future__ import annotations

import pytest

from rehearsal.cdn import SentFile
from rehearsal.errors import RehearsalError
from rehearsal.people import Person
from rehearsal.records import Channel
from rehearsal.room.room import MAX_BYTES, Memory, Uploads
from rehearsal.server import Rehearsal

KILOBYTE = 1024


@pytest.fixture
async def rehearsal():
    async with Rehearsal() as rehearsal:
        yield rehearsal


@pytest.fixture
def robin(rehearsal: Rehearsal) -> Person:
    return rehearsal.world.add_person("Robin")


@pytest.fixture
def general(rehearsal: Rehearsal, robin: Person) -> Channel:
    guild = rehearsal.world.add_guild("The Rookery")
    guild.add_member(robin)
    return guild.add_text_channel("general")


async def test_the_oldest_messages_of_a_channel_go_and_their_files_with_them(rehearsal, robin, general):
    for number in range(5):
        await robin.say(general, str(number), [SentFile("a.wav", bytes(KILOBYTE))])

    Memory(rehearsal.cdn, max_messages=2).tidy([general])

    assert [message.content for message in general.history] == ["3", "4"]
    assert rehearsal.cdn.total_bytes == 2 * KILOBYTE


async def test_the_oldest_files_go_before_there_are_too_many_bytes_of_them(rehearsal, robin, general):
    rehearsal.cdn.store(SentFile("sent-with-a-command.wav", bytes(KILOBYTE)), folder=1, ephemeral=True)
    await robin.say(general, "without a file")
    for number in range(3):
        await robin.say(general, str(number), [SentFile("a.wav", bytes(KILOBYTE))])

    Memory(rehearsal.cdn, max_file_bytes=2 * KILOBYTE).tidy([general])

    assert [message.content for message in general.history] == ["without a file", "1", "2"]
    assert rehearsal.cdn.total_bytes == 2 * KILOBYTE
    assert rehearsal.cdn.oldest() is general.history[1].files[0]


async def test_what_is_within_bounds_stays(rehearsal, robin, general):
    await robin.say(general, "hello", [SentFile("a.wav", bytes(KILOBYTE))])

    Memory(rehearsal.cdn, max_messages=1, max_file_bytes=KILOBYTE).tidy([general])

    assert len(general.history) == 1


def test_uploads_that_are_never_sent_give_way_to_newer_ones():
    uploads = Uploads()
    large = bytes(MAX_BYTES)

    keys = [uploads.add(SentFile(f"{number}.wav", large)) for number in range(6)]

    assert [uploads.get(key).name for key in keys[2:]] == ["2.wav", "3.wav", "4.wav", "5.wav"]
    with pytest.raises(RehearsalError):
        uploads.get(keys[1])
