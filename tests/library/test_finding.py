from __future__ import annotations

from bot.library.database import Database
from bot.library.recordings import Recordings
from bot.library.tables import VoiceRow
from bot.library.voice import Scope, Sharing
from bot.library.voices import NO_SUCH_VOICE, Voices
from tests.library.shelves import ADA, BEN, a_voice, ada, ben, moderator, refusal, stranger


async def test_an_id_wins_over_a_name_that_looks_like_it(voices: Voices, recordings: Recordings) -> None:
    made = [await a_voice(voices, recordings, f"v{number}", sharing=Sharing.SERVER) for number in range(20)]
    alice = next(voice for voice in made if voice.id.isalnum())
    await a_voice(voices, recordings, alice.id, ben, sharing=Sharing.SERVER)

    assert await voices.find(ben, alice.id) == alice


async def test_what_is_typed_finds_what_has_it_in_its_name_and_wildcards_are_letters(
    voices: Voices, recordings: Recordings
) -> None:
    for name in ("Alice", "Malice", "100%", "Bob"):
        await a_voice(voices, recordings, name)

    def completed(typed: str) -> list[str]:
        return [voice.name for voice in voices.complete(ada, typed)]

    assert completed("ＡLI") == ["Malice", "Alice"]
    assert completed("%") == ["100%"]
    assert completed("_") == completed("\\") == completed("a_i") == []
    assert completed(" ") == completed("") == ["Bob", "100%", "Malice", "Alice"]
    assert [voice.name for voice in voices.complete(ada, "", 2)] == ["Bob", "100%"]


async def test_completion_begins_with_what_was_used_last_also_after_a_restart(
    database: Database, voices: Voices, recordings: Recordings
) -> None:
    saved = [await a_voice(voices, recordings, name) for name in ("One", "Two", "Three")]
    await voices.used(saved[0].id)
    await voices.used(saved[1].id)
    await voices.used(saved[1].id)
    await voices.used("no such voice")
    again = Voices(database, recordings)
    await again.load()

    for shelf in (voices, again):
        assert shelf.complete(ada, "", 1)[0].name == "Two"
    two = await voices.find(ada, "two")
    assert two.uses == 2
    assert two.last_used_at is not None
    assert two.last_used_at >= two.created_at


async def test_pages_hold_every_voice_one_may_know_of_once(voices: Voices, recordings: Recordings) -> None:
    names = [(await a_voice(voices, recordings, f"v{number}")).name for number in range(7)]
    await a_voice(voices, recordings, "hidden", ben)

    pages = [await voices.page(ada, number, 3) for number in range(3)]

    assert [voice.name for page in pages for voice in page.voices] == names[::-1]
    assert [(page.number, page.pages, page.total) for page in pages] == [(0, 3, 7), (1, 3, 7), (2, 3, 7)]
    assert await voices.page(ada, 99, 3) == pages[2]
    assert await voices.page(ada, -1, 3) == pages[0]
    assert (await voices.page(moderator, 0, 50)).total == 8
    assert await voices.page(stranger, 0, 3) == await voices.page(Scope(3, 3), 5, 3)


async def test_what_others_changed_is_looked_at_again(
    database: Database, voices: Voices, recordings: Recordings
) -> None:
    alice, bob = [await a_voice(voices, recordings, name) for name in ("Alice", "Bob")]
    async with database.session() as session:
        await session.delete(await session.get_one(VoiceRow, alice.id))
        (await session.get_one(VoiceRow, bob.id)).is_frozen = True

    await voices.refresh(alice.id, bob.id)

    assert voices.complete(ada, "") == []
    assert [voice.name for voice in voices.complete(ada, "", to_manage=True)] == ["Bob"]
    assert "frozen" in await refusal(voices.find(ada, "bob"))


async def test_outside_servers_everybody_has_a_shelf_of_their_own(
    voices: Voices, recordings: Recordings
) -> None:
    alone = Scope.alone(ADA)
    voice = await a_voice(voices, recordings, "Alice", alone, sharing=Sharing.SERVER)

    assert await voices.find(alone, "alice") == voice
    for scope in (ada, Scope.alone(BEN), stranger):
        assert await refusal(voices.find(scope, voice.id)) == NO_SUCH_VOICE
