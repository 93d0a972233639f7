"""How long sounds are kept, and who finds them."""

from __future__ import annotations

from tests.fakes.tts_gateway_caller import Caller
from tests.tts_gateway.conftest import StartServer
from tts_gateway.server import ServerOptions
from tts_gateway.sounds import KeptSounds


async def test_a_sound_is_gone_after_its_time(start: StartServer):
    caller = await start(ServerOptions(keep_seconds=0.3))
    url = (await caller.speak()).json["output"]

    answer = await caller.get_until(404, url)

    assert answer.json == {"statusCode": 404, "message": "Resource not found"}


async def test_a_forgotten_sound_is_no_reference_any_more(start: StartServer):
    caller = await start(ServerOptions(keep_seconds=0.0))
    url = (await caller.speak()).json["output"]

    answer = await caller.clone(url)

    assert (answer.status, answer.message) == (400, "reference_audio_url cannot be reached.")


async def test_every_sound_has_a_long_random_name_of_its_own(caller: Caller):
    names = [(await caller.speak()).json["output"].rpartition("/")[2] for _ in range(20)]

    assert len(set(names)) == 20
    assert {len(name) for name in names} == {len(".wav") + 32}


async def test_a_sound_can_be_downloaded_more_than_once(caller: Caller):
    url = (await caller.speak()).json["output"]

    first, second = await caller.get(url), await caller.get(url)

    assert first.body == second.body


async def test_sounds_are_not_cached_on_the_way_and_not_taken_for_pages(caller: Caller):
    answer = await caller.get((await caller.speak()).json["output"])

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_memory_is_bounded_and_the_oldest_sound_goes_first():
    sounds = KeptSounds(keep_seconds=60, max_bytes=250)
    names = [sounds.add(bytes([n]) * 100) for n in range(3)]

    kept = [sounds.get(name) for name in names]

    assert kept == [None, b"\x01" * 100, b"\x02" * 100]
    sounds.clear()


async def test_a_sound_larger_than_the_whole_memory_is_kept_until_the_next():
    sounds = KeptSounds(keep_seconds=60, max_bytes=50)
    large = sounds.add(bytes(100))

    assert sounds.get(large) == bytes(100)
    small = sounds.add(bytes(10))
    assert (sounds.get(large), sounds.get(small)) == (None, bytes(10))
    sounds.clear()
