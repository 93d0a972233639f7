"""/dictionary: add, remove, list, import, export and presets, as members use them."""

from __future__ import annotations

import json

from rehearsal.cdn import SentFile
from tests.scenes import Scene, file_of, typed, words_of


async def test_words_are_added_listed_completed_and_removed(scene: Scene) -> None:
    scene.make_moderator(scene.alice)

    added = await typed(scene.alice, scene.general, "dictionary add", word="GG", spoken="good game")
    listed = await typed(scene.bob, scene.general, "dictionary list")
    proposed = await scene.alice.autocomplete(scene.general, "dictionary remove", "word", "g")
    removed = await typed(scene.alice, scene.general, "dictionary remove", word="gg")

    assert added.content == "From now on I read GG as “good game”."
    assert listed.content.splitlines() == [
        "**Dictionary of this server**",
        "- GG as “good game”",
        "Abbreviations I also know: none. /dictionary preset has some.",
    ]
    assert proposed == [("GG", "GG")]
    assert removed.content == "I've removed GG from the dictionary."


async def test_somebody_who_may_not_change_it_reads_one_sentence(scene: Scene) -> None:
    answer = await scene.bob.slash(scene.general, "dictionary add", word="gg", spoken="good game")

    assert "Only moderators can change the dictionary here" in await words_of(answer)


async def test_a_dictionary_goes_out_as_a_file_and_comes_back_in(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    words = {
        "gg": "good game",
        "||*||": "stars",
        **{f"word{number}": "something longer" for number in range(60)},
    }
    file = SentFile("words.json", json.dumps(words).encode())

    came = await typed(scene.alice, scene.general, "dictionary import", file=file)
    listed = await typed(scene.bob, scene.general, "dictionary list")
    answer = await scene.bob.slash(scene.general, "dictionary export", format="csv")
    sent = await file_of(answer)

    assert came.content.splitlines()[0] == "I've added 61 words. The dictionary has 61 now."
    assert came.content.splitlines()[1].startswith("I left out 1 word. The first: A dictionary needs words.")
    assert len(listed.content) < 2_000
    assert "more. /dictionary export has all of them." in listed.content
    again = await typed(scene.alice, scene.general, "dictionary import", file=SentFile(sent.name, sent.data))
    assert again.content == "I've added 61 words. The dictionary has 61 now."


async def test_a_file_that_is_none_is_answered_with_one_sentence(scene: Scene) -> None:
    scene.make_moderator(scene.alice)

    answer = await scene.alice.slash(
        scene.general, "dictionary import", file=SentFile("words.json", b"RIFF\x00\x01")
    )

    assert (await words_of(answer)).startswith("That file isn't a dictionary.")


async def test_a_preset_is_switched_on_and_off(scene: Scene) -> None:
    scene.make_moderator(scene.alice)

    on = await typed(scene.alice, scene.general, "dictionary preset", language="English")
    listed = await typed(scene.alice, scene.general, "dictionary list")
    off = await typed(scene.alice, scene.general, "dictionary preset", language="English", state="off")

    assert "For example, afaik as “as far as I know”" in on.content
    assert "Abbreviations I also know: English." in listed.content
    assert off.content == "I no longer read the abbreviations in full (English)."
