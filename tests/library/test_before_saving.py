"""What is known of a voice before work is spent on it, and where somebody is heard."""

from __future__ import annotations

import pytest

from bot.errors import MemberError, NameTakenError
from bot.library.recordings import Recordings
from bot.library.voice import Sharing
from bot.library.voices import Voices
from bot.limits import MAX_VOICES_PER_MEMBER
from tests.library.shelves import BEN, a_voice, ada, ben, moderator, stranger


async def test_a_free_name_comes_back_as_it_will_be_shown(voices: Voices) -> None:
    assert await voices.check_place(ada, "  Old   man ") == "Old man"


async def test_a_name_is_taken_in_its_own_server_only(voices: Voices, recordings: Recordings) -> None:
    await a_voice(voices, recordings, "Old man", ben, sharing=Sharing.SERVER)

    with pytest.raises(NameTakenError, match="already used here"):
        await voices.check_place(ada, "OLD MAN")
    assert await voices.check_place(stranger, "OLD MAN") == "OLD MAN"


async def test_a_full_shelf_is_told_before_work_is_spent(voices: Voices, recordings: Recordings) -> None:
    for number in range(MAX_VOICES_PER_MEMBER):
        await a_voice(voices, recordings, f"Voice {number}")

    with pytest.raises(MemberError, match="that's the most"):
        await voices.check_place(ada, "One more")
    assert await voices.check_place(ben, "One more")


async def test_where_somebody_is_heard_is_known_in_all_servers(
    voices: Voices, recordings: Recordings
) -> None:
    here = await a_voice(voices, recordings, "Benny", moderator, speaker_id=BEN)
    there = await a_voice(voices, recordings, "Benjamin", stranger, speaker_id=BEN)
    await a_voice(voices, recordings, "Ben but not him", ada)

    assert {voice.id for voice in await voices.complete_spoken_by(BEN, "ben")} == {here.id, there.id}
    assert [voice.id for voice in await voices.complete_spoken_by(BEN, "JAMIN")] == [there.id]
    assert len(await voices.complete_spoken_by(BEN, "", limit=1)) == 1
