"""Voices into files and back at the command line; and that a file gives nobody's consent."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import main
from bot.delivery.voice_archive import export_voice, import_voice, pack, unpack
from bot.errors import MemberError
from bot.library.consent_rules import POLICY_VERSION
from bot.library.library import Library
from bot.library.voice import Kind, NewVoice, Scope, Voice
from bot.settings import Settings
from rehearsal.recordings import RECORDINGS
from tests.library.shelves import completed

WAV = RECORDINGS[1].path.read_bytes()
AVIARY, ROOKERY, ADA, BEN = 101, 202, 11, 12
SILENT = "It can't speak right now."
NOT_SIGNED = ", so I don't know whose voice it is"


def settings_in(folder: Path) -> Settings:
    return Settings(data_dir=folder / "data")


async def moved(
    tmp_path: Path, file: Path, *, guild_id: int = AVIARY, owner_id: int = ADA, trust: bool = False
) -> str:
    return await import_voice(settings_in(tmp_path), file, guild_id, owner_id, trust=trust)


async def exported(tmp_path: Path, name: str = "Voice") -> Path:
    file = tmp_path / "voice.zip"
    await export_voice(settings_in(tmp_path), name, AVIARY, file)
    return file


async def saved(tmp_path: Path, *, speaker_id: int | None, agrees: bool = True) -> Voice:
    """Save a voice of Ada's in the aviary; her own with her word, another's with their yes."""
    async with Library(None, tmp_path / "data") as library:
        scope = Scope(AVIARY, ADA)
        for guild_id in (AVIARY, ROOKERY):
            moderator = Scope(guild_id, ADA, is_moderator=True)
            await library.settings.set_cloning(moderator, True, policy=POLICY_VERSION)
        recording = await library.recordings.keep(WAV)
        consent_id = None
        if speaker_id == ADA:
            consent_id = await library.consents.attest(scope)
        elif speaker_id is not None and agrees:
            asked = await library.consents.ask(scope, speaker_id, recording=recording, name="Voice")
            await library.consents.answer(asked.id, speaker_id, True)
            consent_id = asked.id
        kind = Kind.DESIGNED if speaker_id is None else Kind.CLONED
        return await library.voices.save(
            scope,
            NewVoice("Voice", kind, recording, 4.0, "Hello", speaker_id=speaker_id, consent_id=consent_id),
        )


async def renamed(tmp_path: Path, voice: Voice) -> None:
    """Make room for another voice of the same name, and let this one be."""
    async with Library(None, tmp_path / "data") as library:
        await library.voices.rename(Scope(AVIARY, 99, is_moderator=True), voice.id, "Before")


def renamed_file(file: Path, name: str) -> Path:
    """Return a copy of the file with another name for the voice in it."""
    copy = file.with_name(f"{name}.zip")
    copy.write_bytes(pack(dataclasses.replace(unpack(file.read_bytes()), name=name)))
    return copy


@pytest.mark.slow
async def test_a_designed_voice_moves_to_another_bot_and_speaks(tmp_path: Path) -> None:
    await saved(tmp_path, speaker_id=None)
    file = await exported(tmp_path)

    words = await moved(tmp_path / "elsewhere", file, guild_id=ROOKERY, owner_id=BEN, trust=True)

    assert words == "Voice is saved. A running bot can use it at once."
    async with Library(None, tmp_path / "elsewhere" / "data") as library:
        voice = await library.voices.find(Scope(ROOKERY, BEN), "Voice")
        assert (voice.transcript, voice.owner_id) == ("Hello", BEN)
        assert await library.recordings.read(voice.recording) == WAV


async def test_a_voice_that_is_imported_beside_a_running_bot_is_proposed_at_once(tmp_path: Path) -> None:
    await saved(tmp_path, speaker_id=None)
    file = await exported(tmp_path)

    async with Library(None, tmp_path / "elsewhere" / "data") as library:
        scope = Scope(ROOKERY, BEN)
        assert await completed(library.voices, scope, "") == []
        await moved(tmp_path / "elsewhere", file, guild_id=ROOKERY, owner_id=BEN, trust=True)

        assert [voice.name for voice in await completed(library.voices, scope, "")] == ["Voice"]


@pytest.mark.parametrize("speaker_id", [ADA, BEN])
async def test_a_cloned_voice_comes_back_with_the_consent_that_is_still_on_record(
    tmp_path: Path, speaker_id: int
) -> None:
    voice = await saved(tmp_path, speaker_id=speaker_id)
    file = await exported(tmp_path)
    await renamed(tmp_path, voice)

    assert SILENT not in await moved(tmp_path, file)


async def test_the_owner_s_word_given_elsewhere_lets_it_speak_there(tmp_path: Path) -> None:
    await saved(tmp_path, speaker_id=ADA)
    file = await exported(tmp_path)
    elsewhere = tmp_path / "elsewhere"

    assert SILENT in await moved(elsewhere, file, trust=True)

    async with Library(None, elsewhere / "data") as library:
        moderator = Scope(AVIARY, ADA, is_moderator=True)
        await library.settings.set_cloning(moderator, True, policy=POLICY_VERSION)
        voice = await library.voices.find(moderator, "Voice")
        assert await library.consents.permission_error(voice, AVIARY) is not None
        await library.consents.attest(Scope(AVIARY, ADA))
        assert await library.consents.permission_error(voice, AVIARY) is None


@pytest.mark.parametrize("speaker_id", [ADA, BEN])
async def test_what_was_taken_back_stays_taken_back(tmp_path: Path, speaker_id: int) -> None:
    await saved(tmp_path, speaker_id=speaker_id)
    file = await exported(tmp_path)
    async with Library(None, tmp_path / "data") as library:
        await library.consents.revoke(speaker_id)

    assert SILENT in await moved(tmp_path, file)


@pytest.mark.parametrize(("guild_id", "owner_id"), [(ROOKERY, ADA), (AVIARY, 99)], ids=["server", "owner"])
async def test_a_consent_holds_for_its_server_and_its_owner_only(
    tmp_path: Path, guild_id: int, owner_id: int
) -> None:
    voice = await saved(tmp_path, speaker_id=BEN)
    file = await exported(tmp_path)
    await renamed(tmp_path, voice)

    assert SILENT in await moved(tmp_path, file, guild_id=guild_id, owner_id=owner_id)


async def test_a_consent_written_into_the_file_by_hand_is_none(tmp_path: Path) -> None:
    await saved(tmp_path, speaker_id=BEN, agrees=False)
    file = await exported(tmp_path)
    forged = dataclasses.replace(
        unpack(file.read_bytes()), name="Forged", consent={"id": "x" * 22, "state": "granted"}
    )
    file.write_bytes(pack(forged))

    assert NOT_SIGNED in await moved(tmp_path, file)
    assert SILENT in await moved(tmp_path, renamed_file(file, "Again"), trust=True)


async def test_another_recording_under_a_good_consent_is_silent(tmp_path: Path) -> None:
    await saved(tmp_path, speaker_id=BEN)
    file = await exported(tmp_path)
    changed = dataclasses.replace(unpack(file.read_bytes()), name="Changed", wav=WAV + bytes(2))
    file.write_bytes(pack(changed))

    assert NOT_SIGNED in await moved(tmp_path, file)
    assert SILENT in await moved(tmp_path, renamed_file(file, "Again"), trust=True)


CHANGES: dict[str, dict[str, Any]] = {
    "designed": {"kind": Kind.DESIGNED, "speaker_id": None, "consent": None},
    "default": {"kind": Kind.DEFAULT, "speaker_id": None, "consent": None},
    "of its owner": {"speaker_id": ADA},
    "of a third": {"speaker_id": 99},
    "another name": {"name": "Another"},
    "another transcript": {"transcript": "Goodbye"},
    "a description": {"description": "a robot"},
    "another recording": {"wav": WAV[:-2]},
    "without a consent": {"consent": None},
    "without a signature": {"signature": None},
    "another signature": {"signature": "0" * 64},
}


NO_CHANGE: set[tuple[int | None, str]] = {
    *((None, "designed"), (None, "without a consent")),
    *((None, "of its owner"), (None, "of a third")),  # only a cloned voice has a speaker
    (ADA, "of its owner"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("speaker_id", "change"),
    [(who, change) for who in (None, ADA, BEN) for change in CHANGES if (who, change) not in NO_CHANGE],
)
async def test_a_file_that_was_changed_is_the_voice_of_nobody_knows_whom_and_silent(
    tmp_path: Path, speaker_id: int | None, change: str
) -> None:
    before = await saved(tmp_path, speaker_id=speaker_id)
    file = await exported(tmp_path)
    honest = unpack(file.read_bytes())
    found = dataclasses.replace(honest, **CHANGES[change])
    assert found != honest
    file.write_bytes(pack(found))
    await renamed(tmp_path, before)

    words = await moved(tmp_path, file)

    assert NOT_SIGNED in words
    async with Library(None, tmp_path / "data") as library:
        await library.consents.attest(Scope(AVIARY, ADA))
        voice = await library.voices.find(Scope(AVIARY, ADA), found.name)
        assert (voice.kind, voice.speaker_id, voice.consent_id) == (Kind.CLONED, None, None)
        assert await library.consents.permission_error(voice, AVIARY) is not None


async def test_a_file_of_another_database_is_signed_for_that_one_alone(tmp_path: Path) -> None:
    await saved(tmp_path, speaker_id=None)
    file = await exported(tmp_path)

    assert NOT_SIGNED in await moved(tmp_path / "elsewhere", file)


@pytest.mark.parametrize("speaker_id", [None, ADA, BEN], ids=["designed", "own", "of another"])
async def test_what_was_exported_here_keeps_its_kind_also_when_it_is_packed_anew(
    tmp_path: Path, speaker_id: int | None
) -> None:
    before = await saved(tmp_path, speaker_id=speaker_id)
    file = await exported(tmp_path)
    file.write_bytes(pack(unpack(file.read_bytes())))
    await renamed(tmp_path, before)

    assert await moved(tmp_path, file) == "Voice is saved. A running bot can use it at once."
    async with Library(None, tmp_path / "data") as library:
        voice = await library.voices.find(Scope(AVIARY, ADA), "Voice")
        assert (voice.kind, voice.speaker_id) == (before.kind, before.speaker_id)


async def test_a_voice_of_nobody_knows_whom_comes_back_as_one(tmp_path: Path) -> None:
    await saved(tmp_path, speaker_id=None)
    await moved(tmp_path, renamed_file(await exported(tmp_path), "Unknown"))
    file = tmp_path / "again.zip"
    await export_voice(settings_in(tmp_path), "Unknown", AVIARY, file)

    assert SILENT in await moved(tmp_path, file, guild_id=ROOKERY)


async def test_what_cannot_be_imported_is_one_sentence_and_saves_nothing(tmp_path: Path) -> None:
    await saved(tmp_path, speaker_id=None)
    file = await exported(tmp_path)
    broken = tmp_path / "broken.zip"
    broken.write_bytes(pack(dataclasses.replace(unpack(file.read_bytes()), name="B", wav=b"RIFF nothing")))
    short = tmp_path / "short.zip"
    short.write_bytes(pack(dataclasses.replace(unpack(file.read_bytes()), name="S", wav=WAV[:1_000])))

    for path, words in (
        (file, "already used here"),
        (broken, "is damaged"),
        (short, "too short"),
        (tmp_path / "missing.zip", "cannot be read"),
    ):
        with pytest.raises(MemberError, match=words):
            await moved(tmp_path, path)

    async with Library(None, tmp_path / "data") as library:
        assert [voice.name for voice in await completed(library.voices, Scope(AVIARY, ADA), "")] == ["Voice"]
        assert len(list((tmp_path / "data" / "recordings").iterdir())) == 1


async def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    await saved(tmp_path, speaker_id=None)
    file = await exported(tmp_path)

    with pytest.raises(MemberError, match="cannot be written"):
        await exported(tmp_path)

    assert unpack(file.read_bytes()).name == "Voice"


def test_the_command_line_says_what_stands_in_the_way(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / "missing.zip"

    status = main(["import-voice", str(missing), "--guild", "1", "--owner", "2"])

    assert status == 1
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["0", "-1", "9" * 19, "Harbour", "٣", ""])
@pytest.mark.parametrize("option", ["--guild", "--owner"])
def test_what_is_no_id_of_discord_s_is_refused(
    capsys: pytest.CaptureFixture[str], option: str, word: str
) -> None:
    given = {"--guild": "1", "--owner": "2", option: word}

    with pytest.raises(SystemExit) as ended:
        main(["import-voice", "voice.zip", *(f"{name}={value}" for name, value in given.items())])

    assert ended.value.code == 2
    assert "is not an id" in capsys.readouterr().err
