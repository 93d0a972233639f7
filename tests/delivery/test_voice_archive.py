"""A voice as one zip: it comes back as it was, and no other zip comes in."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping

import pytest

from bot.delivery.voice_archive import Portable, pack, unpack
from bot.errors import MemberError
from bot.library.voice import Kind
from bot.limits import MAX_PORTABLE_BYTES

NO_VOICE = "That isn't a voice I exported, or it's damaged. Export the voice again."
NEWER = "That voice was exported by a newer version of me. Update this one first."
TOO_LARGE = "That file is too large to be an exported voice."
VOICE = Portable(
    name="Åda 🎉",
    kind=Kind.CLONED,
    wav=b"RIFF" + bytes(2_000),
    transcript="Hello\nthere",
    description=None,
    speaker_id=2**62,
    consent={"id": "a" * 22, "state": "granted"},
    signature="5" * 64,
)


def zipped(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def files_of(voice: Portable = VOICE) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(pack(voice))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def about(**changed: object) -> dict[str, bytes]:
    files = files_of()
    return {**files, "voice.json": json.dumps({**json.loads(files["voice.json"]), **changed}).encode()}


def twice(data: bytes) -> bytes:
    target = io.BytesIO(data)
    with zipfile.ZipFile(target, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("voice.json", b"{}")
    return target.getvalue()


def encrypted(data: bytes) -> bytes:
    changed = bytearray(data)
    place = changed.index(b"PK\x01\x02")
    while place >= 0:
        changed[place + 8] |= 1
        place = changed.find(b"PK\x01\x02", place + 1)
    return bytes(changed)


@pytest.mark.parametrize(
    "voice",
    [
        VOICE,
        dataclasses.replace(VOICE, transcript=None, consent=None),
        Portable("Old man", Kind.DESIGNED, b"RIFF", description="slow and deep"),
    ],
)
def test_a_voice_comes_back_as_it_was_and_always_the_same_file(voice: Portable) -> None:
    assert unpack(pack(voice)) == voice
    assert pack(voice) == pack(voice)


def test_the_id_of_its_consent_is_known_where_it_can_be_one() -> None:
    assert VOICE.consent_id == "a" * 22
    assert dataclasses.replace(VOICE, consent={"id": 7}).consent_id is None
    assert dataclasses.replace(VOICE, consent={"id": "a" * 500}).consent_id is None
    assert dataclasses.replace(VOICE, consent=None).consent_id is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"",
        lambda: b"not a zip at all",
        lambda: pack(VOICE)[:-30],
        lambda: zipped({}),
        lambda: zipped({**files_of(), "../../etc/passwd": b"root"}),
        lambda: zipped({**files_of(), "extra.txt": b"more"}),
        lambda: zipped({name: data for name, data in files_of().items() if name != "recording.wav"}),
        lambda: zipped(files_of(), method=zipfile.ZIP_LZMA),
        lambda: twice(pack(VOICE)),
        lambda: encrypted(pack(VOICE)),
        lambda: zipped({**files_of(), "voice.json": b"[" * 15_000}),
        lambda: zipped({**files_of(), "voice.json": b"[1, 2]"}),
        lambda: zipped({**files_of(), "voice.json": b"\xff\xfe"}),
        lambda: zipped({**files_of(), "consent.json": b'"granted"'}),
        lambda: zipped({**files_of(), "transcript.txt": b"\xff"}),
        lambda: zipped({**files_of(), "transcript.txt": b"a" * 2_000}),
        lambda: zipped(about(kind="stolen")),
        lambda: zipped(about(kind=["cloned"])),
        lambda: zipped(about(kind="designed")),
        lambda: zipped(about(kind="designed")),
        lambda: zipped({**files_of(), "signature.txt": b"\xff" * 64}),
        lambda: zipped(about(speaker_id="-5")),
        lambda: zipped(about(speaker_id="9" * 5_000)),
        lambda: zipped(about(speaker_id=1e999)),
        lambda: zipped(about(name=7)),
        lambda: zipped(about(description="a" * 401)),
        lambda: zipped({**files_of(), "voice.json": b"{}"}),
    ],
)
def test_what_is_no_voice_of_ours_is_refused_in_one_sentence(make: Callable[[], bytes]) -> None:
    data = make()

    with pytest.raises(MemberError) as refused:
        unpack(data)

    assert str(refused.value) in (
        NO_VOICE,
        "That voice was exported by a newer version of me. Update this one first.",
    )


@pytest.mark.parametrize("name", ["recording.wav", "voice.json", "consent.json", "transcript.txt"])
def test_a_bomb_is_not_unpacked(name: str) -> None:
    bomb = zipped({**files_of(), name: bytes(MAX_PORTABLE_BYTES + 1)})
    assert len(bomb) < 100_000

    with pytest.raises(MemberError, match=TOO_LARGE):
        unpack(bomb)


def test_a_file_that_is_too_large_is_not_even_opened() -> None:
    with pytest.raises(MemberError, match=TOO_LARGE):
        unpack(bytes(MAX_PORTABLE_BYTES + 1))


def test_a_name_that_cannot_be_one_is_refused_with_its_own_sentence() -> None:
    with pytest.raises(MemberError, match="characters I can't use"):
        unpack(zipped(about(name="a:b")))


def test_bytes_changed_at_random_are_refused_or_harmless() -> None:
    data = pack(VOICE)
    chance = random.Random(4)

    for _ in range(400):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            voice = unpack(bytes(changed))
        except MemberError:
            continue
        assert voice.wav == VOICE.wav
