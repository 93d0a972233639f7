"""Saved voices: an address only when a call is made, a fresh one once, and leave asked before every call."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.errors import MemberError, TTSReferenceError, TTSSavedVoiceError, sentence_for
from bot.models import SpeechRequest, SpokenVoice
from bot.speech.cache import speech_key
from rehearsal.faulty_tts_gateway.faults import Hold, Respond
from tests.fakes.babble_engine import howl
from tests.fakes.voice_access import WITHDRAWN, Shelf, voice
from tests.scenes import SENTENCES, TWO_PARTS, Hearing, Studio
from tests.speech.sounds import pcm_of

ALICE = voice("Alice")
TEXT = "Say it in a voice that is kept here."
UNREACHABLE = Respond(400, '{"message": "reference_audio_url cannot be reached."}')
BUSY = Respond(429, "busy")


async def test_every_part_is_cloned_from_the_recording_by_one_address(studio: Studio, shelf: Shelf):
    hearing = Hearing()

    speech = await studio.make(hearing=hearing, voice=ALICE, access=shelf.access)

    assert len(studio.calls) >= 3
    assert {path for path, _ in studio.calls} == {"voice-cloning"}
    assert {fields["prompt_text"] for _, fields in studio.calls} == {ALICE.transcript}
    assert len({fields["reference_audio_url"] for _, fields in studio.calls}) == 1
    assert " ".join(studio.texts) == SENTENCES
    assert len(hearing.frames) * 1_920 == len(pcm_of(speech))
    assert shelf.addresses == {ALICE.id: 1}
    assert not shelf.renewals


async def test_what_is_kept_needs_no_address_and_its_recording_may_have_moved(studio: Studio, shelf: Shelf):
    speech = await studio.make(TEXT, voice=ALICE, access=shelf.access)
    again = await studio.make(TEXT, voice=replace(ALICE, name="Alys"), access=shelf.access)

    assert again == speech
    assert len(studio.calls) == 1
    assert shelf.addresses[ALICE.id] == 1


async def test_a_silenced_voice_is_not_heard_from_the_cache_either(studio: Studio, shelf: Shelf):
    await studio.make(TEXT, voice=ALICE, access=shelf.access)
    shelf.silenced.add(ALICE.id)
    hearing = Hearing()

    with pytest.raises(MemberError, match=WITHDRAWN):
        await studio.make(TEXT, hearing=hearing, voice=ALICE, access=shelf.access)

    assert hearing.frames == []
    assert len(studio.calls) == 1


async def test_a_silenced_voice_is_not_heard_from_what_another_has_begun(studio: Studio, shelf: Shelf):
    studio.faults.on_post(hold := Hold())
    making = studio.making(TEXT, voice=ALICE, access=shelf.access)
    await studio.called(times=1)
    elsewhere = Shelf()
    elsewhere.silenced.add(ALICE.id)

    with pytest.raises(MemberError, match=WITHDRAWN):
        await studio.make(TEXT, voice=ALICE, access=elsewhere)

    hold.released.set()
    assert (await making).seconds > 1
    assert len(studio.calls) == 1


async def test_an_address_that_cannot_be_reached_is_renewed_once(studio: Studio, shelf: Shelf):
    shelf.broken = 1

    speech = await studio.make(TEXT, voice=ALICE, access=shelf.access)

    assert speech.seconds > 1
    assert studio.texts == [TEXT, TEXT]
    addresses = [fields["reference_audio_url"] for _, fields in studio.calls]
    assert addresses[0] != addresses[1]
    assert shelf.renewals == {ALICE.id: 1}


async def test_two_calls_that_fail_on_one_address_renew_it_once(studio: Studio, shelf: Shelf):
    failed = asyncio.Event()
    studio.faults.on_post(*[Hold(of=UNREACHABLE, released=failed)] * 2)
    making = studio.making(voice=ALICE, access=shelf.access)
    await studio.called(times=2)

    failed.set()
    speech = await making

    assert not speech.rest_is_missing
    assert shelf.renewals == {ALICE.id: 1}
    assert len(studio.texts) == len(set(studio.texts)) + 2


async def test_when_the_fresh_address_fails_too_it_is_an_error(studio: Studio, shelf: Shelf):
    shelf.broken = 2

    with pytest.raises(TTSSavedVoiceError) as caught:
        await studio.make(TEXT, voice=ALICE, access=shelf.access)

    assert "Upload" not in sentence_for(caught.value), "nobody has uploaded anything"
    assert len(studio.calls) == 2
    assert shelf.renewals == {ALICE.id: 1}


async def test_a_recording_that_cannot_be_used_says_nothing_about_our_own_generations(
    studio: Studio, shelf: Shelf
):
    shelf.broken = 2
    with pytest.raises(TTSReferenceError):
        await studio.make(voice=ALICE, access=shelf.access)

    await studio.make(TWO_PARTS)

    assert studio.calls[-1][0] == "voice-cloning", "and so it is made in parts"


async def test_a_voice_that_may_not_speak_is_never_called_nor_published(studio: Studio, shelf: Shelf):
    shelf.silenced.add(ALICE.id)

    with pytest.raises(MemberError, match=WITHDRAWN):
        await studio.make(voice=ALICE, access=shelf.access)

    assert studio.calls == []
    assert not shelf.addresses


async def test_in_the_middle_of_a_text_no_further_call_is_made(studio: Studio, shelf: Shelf):
    hearing = Hearing()
    making = studio.making(f"{SENTENCES} " * 3, hearing=hearing, voice=ALICE, access=shelf.access)
    await hearing.heard(frames=10)

    shelf.silenced.add(ALICE.id)
    with pytest.raises(MemberError, match=WITHDRAWN):
        await making

    assert len(studio.calls) == shelf.granted[ALICE.id] - 1, "one was for its address"
    assert len(studio.texts) == len(set(studio.texts))


async def test_the_leave_is_asked_before_every_try_of_a_call(studio: Studio, shelf: Shelf):
    studio.faults.on_post(BUSY, BUSY)
    shelf.silenced_after[ALICE.id] = 3  # for the address, and before two tries

    with pytest.raises(MemberError, match=WITHDRAWN):
        await studio.make(TEXT, voice=ALICE, access=shelf.access)

    assert len(studio.calls) == 2


async def test_a_bad_generation_is_made_again_only_with_leave(studio: Studio, shelf: Shelf):
    studio.faults.on_download(Respond(200, howl(3.0), content_type="audio/wav"))
    shelf.silenced_after[ALICE.id] = 2

    with pytest.raises(MemberError, match=WITHDRAWN):
        await studio.make(TEXT, aloud=False, voice=ALICE, access=shelf.access)

    assert len(studio.calls) == 1


async def test_withdrawn_at_the_last_moment_it_gets_no_fresh_address(studio: Studio, shelf: Shelf):
    shelf.broken = 1
    shelf.silenced_after[ALICE.id] = 2

    with pytest.raises(MemberError, match=WITHDRAWN):
        await studio.make(TEXT, voice=ALICE, access=shelf.access)

    assert not shelf.renewals
    assert len(studio.calls) == 1


async def test_a_saved_voice_without_a_way_to_it_is_a_mistake_of_ours(studio: Studio):
    with pytest.raises(ValueError, match="no way"):
        await studio.make(TEXT, voice=ALICE)


async def test_equal_requests_with_a_voice_are_one_call(studio: Studio, shelf: Shelf):
    studio.faults.on_post(hold := Hold())
    making = [studio.making(TEXT, voice=ALICE, access=shelf.access) for _ in range(2)]
    await studio.called(times=1)

    hold.released.set()
    first, second = await asyncio.gather(*making)

    assert first == second
    assert len(studio.calls) == 1


def test_a_voice_is_its_recording_and_its_place_not_its_name():
    def key(**changes: Any) -> str:
        return speech_key(SpeechRequest(TEXT, voice=replace(ALICE, **changes)), "here")

    assert key() == key(name="Alys")
    others = [key(id="other"), key(recording="0" * 64), key(transcript="other words")]
    assert len({key(), *others, speech_key(SpeechRequest(TEXT), "here")}) == 5


def test_nothing_about_a_recording_is_in_what_is_logged_of_a_voice():
    assert ALICE.recording not in repr(ALICE)
    assert "my voice" not in repr(SpeechRequest(TEXT, voice=ALICE))


OWN = SpokenVoice(
    "own:1", "after me.wav", "", "Hello there", "https://cdn.discordapp.com/attachments/1/2/me.wav"
)
"""A voice that is not saved: a likeness."""


async def test_a_likeness_asks_leave_before_every_try_and_has_no_other_address(studio: Studio, shelf: Shelf):
    studio.faults.on_post(BUSY, UNREACHABLE)

    with pytest.raises(TTSReferenceError) as caught:
        await studio.make(TEXT, voice=OWN, access=shelf.access)

    assert "Upload it again" in sentence_for(caught.value)

    assert [fields["reference_audio_url"] for _, fields in studio.calls] == [OWN.url, OWN.url]
    assert [fields["prompt_text"] for _, fields in studio.calls] == ["Hello there", "Hello there"]
    assert shelf.granted[OWN.id] == 2  # before each try
    assert not shelf.addresses
    assert not shelf.renewals


async def test_a_silenced_likeness_is_never_called(studio: Studio, shelf: Shelf):
    shelf.silenced.add(OWN.id)

    with pytest.raises(MemberError, match=WITHDRAWN):
        await studio.make(TEXT, voice=OWN, access=shelf.access)

    assert studio.calls == []


def test_a_likeness_is_its_consent_and_its_recording_however_that_is_signed():
    def key(voice_id: str, url: str) -> str:
        voice = SpokenVoice(voice_id, "after me.wav", "", None, url)
        return speech_key(SpeechRequest(TEXT, voice=voice), "here")

    address = "https://cdn.discordapp.com/attachments/1/2/voice.wav"
    assert key("own:1", f"{address}?ex=1&is=2&hm=3&") == key("own:1", f"{address}?ex=4&is=5&hm=6&")
    assert key("own:1", address) != key("own:2", address)
    assert key("own:1", address) != key("own:1", address.replace("voice", "other"))
