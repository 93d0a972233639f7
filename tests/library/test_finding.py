from __future__ import annotations

from bot.library.database import Database
from bot.library.recordings import Recordings
from bot.library.tables import VoiceRow
from bot.library.voice import Scope, Sharing, VoiceName
from bot.library.voices import NO_SUCH_VOICE, Voices
from tests.library.shelves import (
    ADA,
    AVIARY,
    BEN,
    a_voice,
    ada,
    ben,
    completed,
    generations_in,
    moderator,
    refusal,
    stranger,
    voices_in,
)


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

    async def proposed(typed: str) -> list[str]:
        return [voice.name for voice in await completed(voices, ada, typed)]

    assert await proposed("ＡLI") == ["Malice", "Alice"]
    assert await proposed("%") == ["100%"]
    for nothing in ("_", "\\", "a_i", "/", "x" * 2_000):
        assert await proposed(nothing) == []
    assert await proposed(" ") == await proposed("") == ["Bob", "100%", "Malice", "Alice"]
    assert [voice.name for voice in await completed(voices, ada, "", 2)] == ["Bob", "100%"]


async def test_completion_begins_with_what_was_used_last_also_after_a_restart(
    database: Database, voices: Voices, recordings: Recordings
) -> None:
    saved = [await a_voice(voices, recordings, name) for name in ("One", "Two", "Three")]
    for spoken in (saved[0], saved[1], saved[1]):
        await generations_in(database).settle(AVIARY, [], counted=[spoken.id, "no such voice"])
    again = voices_in(database, recordings)

    for shelf in (voices, again):
        assert (await completed(shelf, ada, "", 1))[0].name == "Two"
    two = await voices.find(ada, "two")
    assert two.uses == 2
    assert two.last_used_at is not None
    assert two.last_used_at >= two.created_at


async def test_pages_hold_every_voice_one_may_know_of_once(voices: Voices, recordings: Recordings) -> None:
    names = [(await a_voice(voices, recordings, f"v{number}")).name for number in range(7)]
    await a_voice(voices, recordings, "hidden", ben)

    pages = [await voices.page(ada, number, 3) for number in range(3)]

    assert [voice.name for page in pages for voice in page.entries] == names[::-1]
    assert [(page.number, page.pages, page.total) for page in pages] == [(0, 3, 7), (1, 3, 7), (2, 3, 7)]
    assert await voices.page(ada, 99, 3) == pages[2]
    assert await voices.page(ada, -1, 3) == pages[0]
    assert (await voices.page(moderator, 0, 50)).total == 8
    assert await voices.page(stranger, 0, 3) == await voices.page(Scope(3, 3), 5, 3)


async def test_what_another_process_does_counts_here_at_once(
    database: Database, voices: Voices, recordings: Recordings
) -> None:
    other = voices_in(database, recordings)
    alice, bob = [await a_voice(other, recordings, name) for name in ("Alice", "Bob")]
    assert [voice.name for voice in await completed(voices, ada, "")] == ["Bob", "Alice"]

    await other.rename(ada, bob.id, "Robert")
    await generations_in(database).settle(AVIARY, [], counted=[alice.id])
    assert [voice.name for voice in await completed(voices, ada, "")] == ["Alice", "Robert"]
    assert await completed(voices, ada, "bob") == []
    await other.delete(ada, alice.id)
    async with database.session() as session:
        (await session.get_one(VoiceRow, bob.id)).is_frozen = True

    assert await completed(voices, ada, "") == []
    assert await voices.named(ada, ["Robert", "Alice"]) == {}
    assert [voice.name for voice in await voices.complete(ada, "", to_manage=True)] == ["Robert"]
    assert (await voices.page(ada, 0, 10)).total == 1
    assert "frozen" in await refusal(voices.find(ada, "robert"))


async def test_names_are_found_however_they_are_written_and_only_those_one_may_use(
    voices: Voices, recordings: Recordings
) -> None:
    alice = await a_voice(voices, recordings, "Alice")
    await a_voice(voices, recordings, "Hidden", ben)

    found = await voices.named(ada, ["ＡLICE", "alice", "Hidden", "nobody", "x" * 2_000])

    assert found == {"alice": VoiceName(alice.id, "Alice")}
    assert await voices.named(ada, []) == {}


async def test_outside_servers_everybody_has_a_shelf_of_their_own(
    voices: Voices, recordings: Recordings
) -> None:
    alone = Scope.alone(ADA)
    voice = await a_voice(voices, recordings, "Alice", alone, sharing=Sharing.SERVER)

    assert await voices.find(alone, "alice") == voice
    for scope in (ada, Scope.alone(BEN), stranger):
        assert await refusal(voices.find(scope, voice.id)) == NO_SUCH_VOICE
