"""What is kept, as the members notice it: by the calls that are not made."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bot.audio.maker import Maker
from bot.audio.wav import parse_wav
from bot.library.cached_speeches import CachedSpeeches
from bot.models import ReferenceAudio, SpeechRequest
from bot.speech.cache import CacheFolder, SpeechCache, speech_key
from bot.speech.synthesizer import SpeechSynthesizer
from rehearsal.faulty_tts_gateway.faults import Respond
from tests.fakes.babble_engine import howl
from tests.scenes import CACHE_BYTES, Hearing, Studio
from tests.speech.sounds import pcm_of

TEXT = "Say it again, and it is here at once."


async def test_the_same_again_makes_no_call_and_sounds_the_same(studio: Studio):
    first, second = Hearing(), Hearing()

    speech = await studio.make(TEXT, hearing=first)
    again = await studio.make(TEXT, hearing=second)

    assert len(studio.calls) == 1
    assert (again, pcm_of(again)) == (speech, pcm_of(speech))
    assert second.frames == first.frames


async def test_made_as_a_file_it_can_be_heard_later(studio: Studio):
    hearing = Hearing()

    speech = await studio.make(TEXT, aloud=False)
    await studio.make(TEXT, hearing=hearing)

    assert len(studio.calls) == 1
    assert len(hearing.frames) * 1_920 == len(pcm_of(speech))


async def test_a_fresh_generation_replaces_what_was_kept(studio: Studio):
    await studio.make(TEXT)

    fresh = await studio.make(TEXT, fresh=True)
    await studio.synthesizer.aclose()
    again = await studio.make(TEXT)

    assert len(studio.calls) == 2
    assert again == fresh


async def test_kept_speech_survives_a_restart(studio: Studio, speeches: CachedSpeeches):
    speech = await studio.make(TEXT)
    await studio.synthesizer.aclose()

    async with SpeechCache(speeches, CacheFolder(studio.folder), Maker(), max_bytes=CACHE_BYTES) as cache:
        studio.synthesizer = SpeechSynthesizer(studio.tts, cache, Maker())
        again = await studio.make(TEXT)

    assert len(studio.calls) == 1
    assert (again, pcm_of(again)) == (speech, pcm_of(speech))


async def test_another_tts_gateway_or_other_defaults_do_not_use_it(studio: Studio):
    await studio.make(TEXT)
    studio.synthesizer = SpeechSynthesizer(studio.tts, studio.cache, Maker(), source="another one")

    await studio.make(TEXT)

    assert len(studio.calls) == 2


async def test_what_broke_off_and_what_sounds_wrong_is_not_kept(studio: Studio):
    studio.faults.on_download(*[Respond(200, howl(3.0), content_type="audio/wav")] * 2)
    await studio.make(TEXT, aloud=False)
    await studio.synthesizer.aclose()

    await studio.make(TEXT, aloud=False)

    assert len(studio.calls) == 3


async def test_nothing_on_the_disk_names_what_was_said(studio: Studio):
    await studio.make(TEXT)
    await studio.synthesizer.aclose()

    (kept,) = studio.folder.iterdir()
    assert "again" not in kept.name.lower()
    assert b"again" not in kept.read_bytes()
    assert kept.stat().st_mode & 0o077 == 0


async def test_where_nothing_can_be_kept_everything_works_all_the_same(
    studio: Studio, speeches: CachedSpeeches, tmp_path: Path
):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")

    async with SpeechCache(speeches, CacheFolder(blocked), Maker(), max_bytes=CACHE_BYTES) as cache:
        studio.synthesizer = SpeechSynthesizer(studio.tts, cache, Maker())
        await studio.make(TEXT)
        await studio.synthesizer.aclose()
        await studio.make(TEXT)
        await studio.synthesizer.aclose()

    assert len(studio.calls) == 2


async def test_without_room_every_request_is_a_call_and_what_was_kept_is_gone(
    studio: Studio, speeches: CachedSpeeches
):
    await studio.make(TEXT)
    await studio.synthesizer.aclose()

    async with SpeechCache(speeches, CacheFolder(studio.folder), Maker(), max_bytes=0) as cache:
        assert list(studio.folder.iterdir()) == []
        studio.synthesizer = SpeechSynthesizer(studio.tts, cache, Maker())
        await studio.make(TEXT)
        await studio.synthesizer.aclose()
        await studio.make(TEXT)
        await studio.synthesizer.aclose()

    assert len(studio.calls) == 3


def _key(url: str, transcript: str | None = None) -> str:
    return speech_key(SpeechRequest(TEXT, reference=ReferenceAudio(url, transcript)), "here")


def test_a_recording_stays_the_same_when_its_address_is_signed_anew():
    address = "https://cdn.discordapp.com/attachments/1/2/voice.wav"

    assert _key(f"{address}?ex=1&is=2&hm=3&") == _key(f"{address}?ex=4&is=5&hm=6&")
    assert _key(address) != _key("https://cdn.discordapp.com/attachments/1/3/voice.wav")
    assert _key(f"{address}?id=1") != _key(f"{address}?id=2")
    assert _key(address) != _key(address, "with a transcript")


def test_a_key_says_nothing_and_takes_every_text():
    key = speech_key(SpeechRequest("half a pair \ud800"), "here")

    assert len(key) == 64
    assert set(key) <= set("0123456789abcdef")


async def test_who_kept_only_the_frames_gets_the_very_speech_again(studio: Studio):
    hearing = Hearing()
    speech = await studio.make(TEXT, hearing=hearing)
    await studio.synthesizer.aclose()

    again = await studio.synthesizer.made_before(SpeechRequest(TEXT), hearing.frames, rest_is_missing=False)

    assert (again, pcm_of(again)) == (speech, pcm_of(speech))


async def test_who_kept_the_frames_of_another_generation_gets_what_they_sound_like(studio: Studio):
    heard = Hearing()
    speech = await studio.make(TEXT, hearing=heard)
    await studio.make(TEXT, fresh=True)
    await studio.synthesizer.aclose()

    again = await studio.synthesizer.made_before(SpeechRequest(TEXT), heard.frames, rest_is_missing=True)

    assert again.rest_is_missing
    pcms = [parse_wav(await Maker().wav(one)).samples for one in (again, speech)]
    assert len(pcms[0]) == len(pcms[1])
    assert (pcms[0] != pcms[1]).any()
    assert np.min(np.corrcoef(pcms)) >= 0.95
