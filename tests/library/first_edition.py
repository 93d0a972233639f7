"""A data folder as the first edition left it: its database as SQL, its recordings, and speech it had kept.

What stands here never changes: it is what people have on their disks. `check` says what a member and an
operator must find of it today, through the library's own classes.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, inspect

from bot.audio.wav import write_wav
from bot.library.audit import Report, Use
from bot.library.consent_rules import Consent
from bot.library.engine import address, engine_for, writing
from bot.library.generations import Generation
from bot.library.library import Library
from bot.library.migrations import OURS, Migrations, bring_up_to_date
from bot.library.recording_folder import RECORDING_FOLDER
from bot.library.starters import STARTERS
from bot.library.voice import NO_GUILD, Kind, Scope, Sharing
from tests.library.shelves import voice_for

AVIARY, ROOKERY = 810_000_000_000_000_001, 810_000_000_000_000_002
ADA, BEN, CAT, MOD = (710_000_000_000_000_001 + number for number in range(4))
SINGERS: Final = 610_000_000_000_000_001
"""A role in the aviary."""

DAY: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""When most of it happened, and `NOW` is when the next edition first starts."""
NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)

ADA_WAV, ADA_AGAIN_WAV, ROBOT_WAV, DEFAULT_WAV, BEN_WAV = (
    write_wav(name.encode() * 500) for name in ("Ada ", "ada2", "robo", "cast", "Ben ")
)


def sha256(wav: bytes) -> str:
    """Return the name under which a recording is kept."""
    return hashlib.sha256(wav).hexdigest()


SQL: Final = f"""
INSERT INTO consents (id, guild_id, asker_id, speaker_id, state, policy_version, recording, name, sharing,
        role_id, member_ids, channel_id, message_id, asked_at, lapses_at, answered_at, revoked_at) VALUES
    ('own-word-of-ada-000000', {AVIARY}, {ADA}, {ADA}, 'granted', 1, NULL, NULL, 'me',
        NULL, '[]', NULL, NULL, '2026-11-20 12:00:00.000000', NULL, '2026-11-20 12:00:00.000000', NULL),
    ('ben-may-clone-ada-0000', {AVIARY}, {BEN}, {ADA}, 'granted', 1, '{sha256(ADA_AGAIN_WAV)}', 'Ada to Ben',
        'members', NULL, '["{CAT}"]', 5, 6, '2026-11-20 12:00:00.000000', NULL, '2026-11-20 13:00:00.000000',
        NULL),
    ('cat-has-asked-ben-0000', {AVIARY}, {CAT}, {BEN}, 'asked', 1, '{sha256(BEN_WAV)}', 'Ben’s 🎉', 'role',
        {SINGERS}, '[]', 5, 7, '2026-11-22 11:00:00.000000', '2026-11-23 11:00:00.000000', NULL, NULL),
    ('ben-said-no-to-ada-000', {AVIARY}, {ADA}, {BEN}, 'declined', 1, NULL, NULL, 'server',
        NULL, '[]', NULL, NULL, '2026-11-20 12:00:00.000000', NULL, '2026-11-20 14:00:00.000000', NULL),
    ('ben-took-it-back-00000', {AVIARY}, {MOD}, {BEN}, 'revoked', 1, NULL, NULL, 'server',
        NULL, '[]', NULL, NULL, '2026-11-20 12:00:00.000000', NULL, '2026-11-20 13:00:00.000000',
        '2026-11-21 12:00:00.000000');

INSERT INTO voices (id, guild_id, name, name_key, owner_id, speaker_id, consent_id, kind, recording, seconds,
        transcript, language, description, sharing, role_id, uses, created_at, last_used_at, is_frozen) VALUES
    ('ada-herself-0000000000', {AVIARY}, 'Ada', 'ada', {ADA}, {ADA}, 'own-word-of-ada-000000', 'cloned',
        '{sha256(ADA_WAV)}', 6.5, 'Good “morning”', 'en', NULL, 'server', NULL, 3,
        '2026-11-20 12:00:00.000000', '2026-11-21 12:00:00.000000', false),
    ('ada-as-ben-has-her-000', {AVIARY}, 'Ada to Ben', 'ada to ben', {BEN}, {ADA}, 'ben-may-clone-ada-0000',
        'cloned', '{sha256(ADA_AGAIN_WAV)}', 4.25, NULL, NULL, NULL, 'members', NULL, 0,
        '2026-11-20 13:00:00.000000', NULL, false),
    ('a-robot-of-cats-000000', {AVIARY}, 'Röbot 🎉', 'röbot 🎉', {CAT}, NULL, NULL, 'designed',
        '{sha256(ROBOT_WAV)}', 5.0, 'Hello', 'de', 'a rusty robot', 'role', {SINGERS}, 1,
        '2026-11-20 12:00:00.000000', '2026-11-22 10:00:00.000000', false),
    ('the-default-voice-0000', {AVIARY}, 'Default', 'default', 0, NULL, NULL, 'cast',
        '{sha256(DEFAULT_WAV)}', 5.0, 'Hello', NULL, NULL, 'server', NULL, 9,
        '2026-11-19 12:00:00.000000', NULL, false),
    ('frozen-by-a-moderator0', {AVIARY}, 'Frozen', 'frozen', {CAT}, NULL, NULL, 'designed',
        '{sha256(ROBOT_WAV)}', 5.0, 'Hello', NULL, 'cold', 'server', NULL, 0,
        '2026-11-20 12:00:00.000000', NULL, true),
    ('cat-s-own-shelf-000000', {CAT}, 'Robot', 'robot', {CAT}, NULL, NULL, 'designed',
        '{sha256(ROBOT_WAV)}', 5.0, 'Hello', NULL, 'a robot', 'me', NULL, 0,
        '2026-11-20 12:00:00.000000', NULL, false);

INSERT INTO voice_members (voice_id, member_id) VALUES ('ada-as-ben-has-her-000', {CAT});

INSERT INTO chosen_voices (guild_id, member_id, voice_id) VALUES
    ({AVIARY}, {BEN}, 'ada-as-ben-has-her-000'), ({CAT}, {CAT}, 'cat-s-own-shelf-000000');

INSERT INTO guild_settings (guild_id, volume, channel_id, cloning_on, cloning_policy, cloning_by, cloning_at,
        default_voice_id, left_at) VALUES
    ({AVIARY}, 50, 51, true, 1, {MOD}, '2026-11-19 12:00:00.000000', 'the-default-voice-0000', NULL),
    ({ROOKERY}, NULL, NULL, false, NULL, NULL, NULL, NULL, '2026-11-21 12:00:00.000000');

INSERT INTO never_clone (member_id, since) VALUES ({MOD}, '2026-11-20 12:00:00.000000');

INSERT INTO recording_posts (message_id, voice_id, channel_id, attachment_id, url, posted_at) VALUES
    (91, 'ada-herself-0000000000', 92, 93, 'https://cdn.example/a.wav?ex=1', '2026-11-20 12:00:00.000000'),
    (94, 'a-voice-that-is-gone00', 92, 95, 'https://cdn.example/b.wav?ex=1', '2026-11-20 12:00:00.000000');

INSERT INTO uses (id, guild_id, voice_id, member_id, used_at, seconds, channel_id, message_id) VALUES
    (1, {AVIARY}, 'ada-herself-0000000000', {BEN}, '2026-11-20 12:00:00.000000', 2.5, 5, 8),
    (2, {AVIARY}, 'a-voice-that-is-gone00', {CAT}, '2026-11-21 12:00:00.000000', 1.0, NULL, NULL);

INSERT INTO reports (id, guild_id, voice_id, take_id, reporter_id, member_id, channel_id, message_id,
        reported_at, settled_at) VALUES
    (1, {AVIARY}, 'ada-herself-0000000000', 'ben-lets-ada-speak-000', {CAT}, {BEN}, 5, 8,
        '2026-11-20 12:00:00.000000', NULL),
    (2, {AVIARY}, 'a-robot-of-cats-000000', NULL, {BEN}, NULL, NULL, NULL,
        '2026-11-20 12:00:00.000000', '2026-11-21 12:00:00.000000');

INSERT INTO takes (id, guild_id, member_id, text, style, guidance, steps, voice_ids, likeness, cache_key,
        created_at) VALUES
    ('ben-lets-ada-speak-000', {AVIARY}, {BEN}, 'Ada: “Who’s there?”
Röbot 🎉: It is: me; 100 %', 'calm', 2.5, 12, '["ada-herself-0000000000", "a-robot-of-cats-000000"]', NULL,
        '{"c" * 64}', '2026-11-20 12:00:00.000000'),
    ('a-dialogue-of-cat-s-00', {ROOKERY}, {CAT}, 'Who’s "there"?\x1eMe: \\u001e; 100 %\x1eOh.', NULL,
        NULL, NULL, '["a-robot-of-cats-000000", "", "a-voice-that-is-gone00"]', NULL, '{"d" * 64}',
        '2026-11-20 12:00:00.000000'),
    ('ada-alone-000000000000', NULL, {ADA}, 'Psst', NULL, NULL, NULL, '[]', 'own:own-word-of-ada-000000',
        NULL, '2026-11-21 12:00:00.000000');
"""

RENAMED: Final[Mapping[str, str]] = {}
"""What a later edition calls a table, by the name it has here."""

DROPPED: Final[Mapping[str, str]] = {"takes.text": "its lines are a list: takes.lines"}
"""A table, or ``table.column``, that a later edition does without, and why nobody misses it."""

Rows = dict[str, list[dict[str, Any]]]


def first_revisions(folder: Path, last: str = OURS.newest) -> Migrations:
    """Return the migrations up to ``last``, as the edition had them that ended there; in ``folder``.

    They begin with nothing: the first one makes its tables.
    """
    revisions = OURS.revisions[: OURS.revisions.index(last) + 1]
    shutil.copytree(OURS.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("v0001_begin.py"), folder / "versions")
    for path in (folder / "versions").glob("v*_*.py"):
        if path.name[1:].partition("_")[0] not in revisions:
            path.unlink()
    return Migrations(folder, revisions)


async def make(url: str | None, data_dir: Path, scratch: Path) -> None:
    """Make the folder, and the database at ``url`` or in it. ``scratch`` is for the first migration alone."""
    (data_dir / RECORDING_FOLDER).mkdir(mode=0o700, parents=True)
    await bring_up_to_date(
        address(url, data_dir),
        first_revisions(scratch / "first migration", OURS.revisions[0]),
        busy_seconds=20,
    )
    engine = engine_for(address(url, data_dir), busy_seconds=20)
    try:
        async with writing(engine).begin() as connection:
            if engine.dialect.name == "postgresql":
                await connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
            for statement in SQL.split(";\n\n"):
                await connection.exec_driver_sql(statement.strip().removesuffix(";"))
    finally:
        await engine.dispose()
    for wav in (ADA_WAV, ADA_AGAIN_WAV, ROBOT_WAV, DEFAULT_WAV, BEN_WAV):
        (data_dir / RECORDING_FOLDER / f"{sha256(wav)}.wav").write_bytes(wav)
    (data_dir / "cache").mkdir(mode=0o700)
    (data_dir / "cache" / ("c" * 64)).write_bytes(_kept_speech(b"Ada speaks ", member=BEN, made_at=NOW))


def _kept_speech(said: bytes, *, member: int, made_at: datetime) -> bytes:
    """Return speech in the cache as it was written: whose it is, then one frame, then the sound."""
    labels = [hashlib.blake2b(f"member {member}".encode(), digest_size=16).digest()]
    head = struct.pack("<8sH", b"MYNAlab1", len(labels)) + b"".join(labels)
    frame, wav = b"an Opus frame", write_wav(said * 100)
    body = struct.pack("<8sdII", b"MYNAspk1", made_at.timestamp(), 1, len(wav))
    body += struct.pack("<H", len(frame)) + frame + wav
    return head + hashlib.blake2b(head, digest_size=16).digest() + body + hashlib.sha256(body).digest()


async def all_rows(url: str | None, data_dir: Path) -> Rows:
    """Return every row of every table, as the database itself has it, but for the starter voices."""
    engine = engine_for(address(url, data_dir), busy_seconds=20)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_rows_of)
    finally:
        await engine.dispose()


def _rows_of(connection: Connection) -> Rows:
    names = inspect(connection).get_table_names()
    rows = {
        name: [dict(row._mapping) for row in connection.exec_driver_sql(f"SELECT * FROM {name}")]
        for name in names
    }
    if "voices" in rows:
        rows["voices"] = [row for row in rows["voices"] if row["guild_id"] != NO_GUILD]
    return rows


def lost(before: Rows, after: Rows) -> list[str]:
    """Return what of ``before`` is not there any more: tables, columns and rows."""
    faults = []
    for table, old in before.items():
        if table in DROPPED or table == "alembic_version":
            continue
        new = after.get(RENAMED.get(table, table))
        if new is None:
            faults.append(f"the table {table}")
            continue
        if not old:
            continue  # the id of the database, which it gets at its first start
        columns = [name for name in old[0] if f"{table}.{name}" not in DROPPED]
        gone = [name for name in columns if new and name not in new[0]]
        faults += [f"the column {table}.{name}" for name in gone]
        columns = [name for name in columns if name not in gone]
        was, is_now = (sorted(repr([row[name] for name in columns]) for row in rows) for rows in (old, new))
        faults += [f"of {table}: {row}" for row in was if row not in is_now]
        faults += [f"added to {table}: {row}" for row in is_now if row not in was]
    return faults


async def check(url: str | None, data_dir: Path) -> None:
    """Open the folder as this edition does, and find everything; AssertionError names what is missing."""
    async with Library(url, data_dir, now=lambda: NOW) as library:
        await _check_voices(library)
        await _check_consents(library)
        await _check_the_rest(library)
        assert await library.database.problem() is None


async def _check_voices(library: Library) -> None:
    ada, ben = Scope(AVIARY, ADA), Scope(AVIARY, BEN)
    cat = Scope(AVIARY, CAT, frozenset({SINGERS}))
    listed = await library.voices.page(cat, 0, 25)
    assert [voice.name for voice in listed.entries] == ["Röbot 🎉", "Ada", "Ada to Ben", "Frozen", "Default"]
    saved = (await library.voices.complete(ada, ""))[len(STARTERS) :]
    assert [name.name for name in saved] == ["Ada", "Default"]
    herself, hers = await library.voices.find(ada, "ada"), await library.voices.find(ben, "Ada to Ben")
    assert (herself.kind, herself.sharing, herself.uses) == (Kind.CLONED, Sharing.SERVER, 3)
    assert (herself.transcript, herself.seconds, herself.created_at) == ("Good “morning”", 6.5, DAY)
    assert (hers.owner_id, hers.speaker_id, hers.member_ids) == (BEN, ADA, frozenset({CAT}))
    robot = await library.voices.find(cat, "röbot 🎉")
    assert (robot.kind, robot.role_id, robot.description) == (Kind.DESIGNED, SINGERS, "a rusty robot")
    alone = await library.voices.find(Scope.alone(CAT), "Robot")
    assert await voice_for(library.voices, Scope.alone(CAT)) == alone
    chosen = await library.voices.chosen_voices(ben)
    assert chosen.mine is not None
    assert chosen.default is not None
    assert (chosen.mine.voice, chosen.default.voice.name) == (hers, "Default")
    frozen = await library.voices.unscoped("frozen-by-a-moderator0")
    assert frozen is not None
    assert frozen.is_frozen
    recordings = {voice.name: voice.recording for voice in (*listed.entries, alone)}
    expected = {"Ada": ADA_WAV, "Ada to Ben": ADA_AGAIN_WAV, "Default": DEFAULT_WAV}
    expected |= dict.fromkeys(("Röbot 🎉", "Frozen", "Robot"), ROBOT_WAV)
    assert {name: await library.recordings.read(found) for name, found in recordings.items()} == expected


async def _check_consents(library: Library) -> None:
    for voice_id, words in {
        "ada-herself-0000000000": None,
        "ada-as-ben-has-her-000": None,
        "a-robot-of-cats-000000": None,
        "frozen-by-a-moderator0": "A moderator has frozen this voice.",
        "a-voice-that-is-gone00": "This voice is gone.",
    }.items():
        voice = await library.voices.unscoped(voice_id)
        if voice is not None:
            refusal = await library.consents.permission_error(voice, AVIARY)
            assert refusal is None if words is None else (refusal or "").startswith(words), voice_id
    states = {
        "own-word-of-ada-000000": Consent.GRANTED,
        "ben-may-clone-ada-0000": Consent.GRANTED,
        "cat-has-asked-ben-0000": Consent.ASKED,
        "ben-said-no-to-ada-000": Consent.DECLINED,
        "ben-took-it-back-00000": Consent.REVOKED,
    }
    for consent_id, state in states.items():
        request = await library.consents.request(consent_id)
        assert request is not None
        assert request.state is state
    asked = await library.consents.request("cat-has-asked-ben-0000")
    assert asked is not None
    assert (asked.name, asked.shares.sharing, asked.shares.role_id) == ("Ben’s 🎉", Sharing.ROLE, SINGERS)
    assert await library.recordings.read(asked.recording or "") == BEN_WAV
    assert await library.consents.is_never_cloned(MOD)
    assert not await library.consents.is_never_cloned(ADA)
    assert await library.consents.has_attested(Scope(AVIARY, ADA))


async def _check_the_rest(library: Library) -> None:
    moderator = Scope(AVIARY, MOD, is_moderator=True)
    assert (library.settings.volumes(), library.settings.channels()) == ({AVIARY: 50}, {AVIARY: 51})
    assert await library.settings.cloning_is_on(AVIARY)
    assert not await library.settings.cloning_is_on(ROOKERY)
    assert await library.generations.get("ben-lets-ada-speak-000") == Generation(
        id="ben-lets-ada-speak-000",
        guild_id=AVIARY,
        member_id=BEN,
        lines=("Ada: “Who’s there?”\nRöbot 🎉: It is: me; 100 %",),
        style="calm",
        guidance=2.5,
        steps=12,
        voice_ids=("ada-herself-0000000000", "a-robot-of-cats-000000"),
        likeness=None,
        cache_key="c" * 64,
        created_at=DAY,
    )
    dialogue = await library.generations.get("a-dialogue-of-cat-s-00")
    assert dialogue is not None
    assert dialogue.lines == ('Who’s "there"?', "Me: \\u001e; 100 %", "Oh.")
    assert dialogue.voice_ids == ("a-robot-of-cats-000000", "", "a-voice-that-is-gone00")
    whispered = await library.generations.get("ada-alone-000000000000")
    assert whispered is not None
    assert (whispered.guild_id, whispered.likeness) == (None, "own:own-word-of-ada-000000")
    (post,) = await library.posts.of("ada-herself-0000000000")
    assert (post.channel_id, post.message_id, post.attachment_id) == (92, 91, 93)
    assert [left.message_id for left in await library.posts.to_delete(NOW)] == [94]
    uses = (await library.audit.page(moderator)).entries
    assert [(use.member_id, use.seconds, use.voice_name) for use in uses] == [
        (CAT, 1.0, None),
        (BEN, 2.5, "Ada"),
    ]
    assert uses[1] == Use(AVIARY, "ada-herself-0000000000", BEN, DAY, 2.5, 5, 8, ADA, "Ada")
    assert await library.audit.reports(moderator) == [
        Report(AVIARY, "ada-herself-0000000000", CAT, DAY, "ben-lets-ada-speak-000", BEN, 5, 8, ADA)
    ]
    export = await library.privacy.export(BEN)
    kinds = ("voices", "consents", "chosen_voices", "uses", "reports", "reports_about_me", "takes")
    assert {kind: len(export[kind]) for kind in kinds} == {
        **dict.fromkeys(kinds, 1),
        "consents": 4,
    }
