"""The tables. What is kept of people is here and nowhere else: no text of a member outlives its week."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Moment(TypeDecorator[datetime]):
    """A moment in UTC. One without a zone is refused; SQLite itself would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment as the database keeps it."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text from people. What PostgreSQL cannot keep is left out: NUL, and halves of characters."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text without what no database takes."""
        if value is None:
            return None
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


class Base(DeclarativeBase):
    """The root of all tables; every constraint has a name, so that a migration can speak of it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy wants a plain dict here
        int: BigInteger,
        datetime: Moment,
        str: Words,
        list[str]: JSON,
    }


T = TypeVar("T")


def read_as(kind: type[T], row: object, /, **others: object) -> T:
    """Return what ``row`` says as a dataclass whose fields have the names of columns, except ``others``."""
    names = {field.name for field in fields(kind)} - others.keys()  # type: ignore[arg-type]
    values: dict[str, Any] = {name: getattr(row, name) for name in names}
    return kind(**values, **others)


_Counted = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what it calls INTEGER
_ID = String(22)
_SHA256 = String(64)


class IdentityRow(Base):
    """Which database this is; one row. See `bot.library.database`.

    ``key`` is what `bot.library.known_recordings` hashes and signs with, 32 bytes in hexadecimal digits.
    """

    __tablename__ = "identity"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    key: Mapped[str] = mapped_column(_SHA256)


class ApplicationRow(Base):
    """The application that the bots on this PostgreSQL are of; one row. See `bot.library.processes`.

    ``commands`` is what is known of its commands at Discord, as `bot.command_tree` writes it down.
    """

    __tablename__ = "application"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    commands: Mapped[str | None]


class ProcessRow(Base):
    """A process that shares shards with others: it lives ``until`` then, and longer if it says so in time.

    ``is_leaving``: it is about to end, and hands its shards over.
    """

    __tablename__ = "processes"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    until: Mapped[datetime]
    is_leaving: Mapped[bool] = mapped_column(default=False)


class ShardRow(Base):
    """A shard of the bot, and the process that has it on lease ``until`` then. See `bot.library.processes`.

    ``heir`` is opening a session for it, and has it as soon as that is there; ``heir_until``, or not at all.
    """

    __tablename__ = "shards"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(Integer)
    holder: Mapped[str | None] = mapped_column(_ID)
    until: Mapped[datetime | None]
    heir: Mapped[str | None] = mapped_column(_ID)
    heir_until: Mapped[datetime | None]


class IdentifyBucketRow(Base):
    """A bucket of shards, of which one may identify itself once it is ``free_at`` then."""

    __tablename__ = "identify_buckets"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    free_at: Mapped[datetime]


class OpenReplyRow(Base):
    """A reply that a process has begun and not finished; the ``token`` allows that for 15 minutes."""

    __tablename__ = "open_replies"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    token: Mapped[str]
    process_id: Mapped[str] = mapped_column(_ID)


class ChangeRow(Base):
    """A change that every process has to hear of at once, kept for an hour. See `bot.library.withdrawal`.

    ``process_id`` is the one that made it; ``body`` names no member whose data is deleted.
    """

    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(_Counted, primary_key=True)
    process_id: Mapped[str] = mapped_column(_ID)
    made_at: Mapped[datetime]
    body: Mapped[dict[str, Any]] = mapped_column(JSON)


class RecordingRow(Base):
    """A recording that this database has known, until its file is deleted. See `bot.library.recordings`.

    ``was_named``: a voice or a question has named it since it was last kept. ``was_saved``: a voice has,
    ever. ``unused_since``: nothing names it any more, and its file was not in the folder of whoever noticed,
    but maybe in that of another bot, whose next look at it deletes it. ``upload_hash`` is the keyed hash of
    the upload it was mended from.
    """

    __tablename__ = "recordings"

    sha256: Mapped[str] = mapped_column(_SHA256, primary_key=True)
    kept_at: Mapped[datetime]
    was_named: Mapped[bool] = mapped_column(default=False)
    was_saved: Mapped[bool] = mapped_column(default=False)
    unused_since: Mapped[datetime | None]
    upload_hash: Mapped[str | None] = mapped_column(_SHA256, index=True)


class RecordingFileRow(Base):
    """A recording itself, on PostgreSQL: several processes need it, and a folder is on one machine."""

    __tablename__ = "recording_files"

    sha256: Mapped[str] = mapped_column(_SHA256, primary_key=True)
    size: Mapped[int] = mapped_column(Integer)
    wav: Mapped[bytes] = mapped_column(LargeBinary)


class KnownRecordingRow(Base):
    """A recording whose voice or question is gone. See `bot.library.known_recordings`.

    ``hash`` and ``speaker`` are keyed hashes, of its bytes and of whose voice it is. ``guild_id`` is the one
    server where that counts, or 0.
    """

    __tablename__ = "known_recordings"

    hash: Mapped[str] = mapped_column(_SHA256, primary_key=True)
    speaker: Mapped[str] = mapped_column(_SHA256, primary_key=True, index=True)
    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class VoiceRow(Base):
    """A voice of one server. ``consent_id`` is set exactly for cloned voices whose consent is still there.

    ``language`` is not written any more; what earlier rows say stays in what a member exports.
    """

    __tablename__ = "voices"
    __table_args__ = (
        # Others must not learn of a voice from a name that is taken: see `bot.library.voice_rows`.
        UniqueConstraint("guild_id", "owner_id", "name_key"),
        Index(None, "guild_id", "name_key"),
        # What is completed and listed begins with what was used last; the name is in it to be looked through.
        Index(
            "ix_voices_guild_id_last_seen",
            *("guild_id", text("coalesce(last_used_at, created_at)"), "name_key"),
        ),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    guild_id: Mapped[int]
    name: Mapped[str]
    name_key: Mapped[str]
    owner_id: Mapped[int] = mapped_column(index=True)
    speaker_id: Mapped[int | None] = mapped_column(index=True)
    consent_id: Mapped[str | None] = mapped_column(
        _ID, ForeignKey("consents.id", ondelete="SET NULL"), index=True
    )
    kind: Mapped[str] = mapped_column(String(16))
    recording: Mapped[str] = mapped_column(_SHA256, index=True)
    seconds: Mapped[float]
    transcript: Mapped[str | None]
    language: Mapped[str | None]
    description: Mapped[str | None]
    sharing: Mapped[str] = mapped_column(String(16))
    role_id: Mapped[int | None]
    uses: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    is_frozen: Mapped[bool] = mapped_column(default=False)


class VoiceMemberRow(Base):
    """A member with whom a voice is shared by name."""

    __tablename__ = "voice_members"

    voice_id: Mapped[str] = mapped_column(_ID, ForeignKey("voices.id", ondelete="CASCADE"), primary_key=True)
    member_id: Mapped[int] = mapped_column(primary_key=True, index=True)


class ConsentRow(Base):
    """A consent, asked for or given: ``asker_id`` wants to clone ``speaker_id``, or themselves.

    ``recording``, ``name``, ``sharing``, ``role_id``, ``member_ids`` are what was asked for; the message is
    the one with the buttons. ``author_id`` wrote the message with the recording, if that is a third person,
    who has to agree too; ``agreed_id`` is who of the two has, while the other has not answered.
    """

    __tablename__ = "consents"
    __table_args__ = (Index(None, "guild_id", "speaker_id"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    guild_id: Mapped[int]
    asker_id: Mapped[int] = mapped_column(index=True)
    speaker_id: Mapped[int] = mapped_column(index=True)
    author_id: Mapped[int | None] = mapped_column(index=True)
    agreed_id: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(16))
    policy_version: Mapped[int] = mapped_column(Integer)
    recording: Mapped[str | None] = mapped_column(_SHA256, index=True)
    name: Mapped[str | None]
    sharing: Mapped[str | None] = mapped_column(String(16))
    role_id: Mapped[int | None]
    member_ids: Mapped[list[str] | None]
    channel_id: Mapped[int | None]
    message_id: Mapped[int | None]
    asked_at: Mapped[datetime]
    lapses_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class NeverCloneRow(Base):
    """Somebody who must not be cloned, in any server."""

    __tablename__ = "never_clone"

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    since: Mapped[datetime]


class FrozenLikenessRow(Base):
    """Somebody after whose own recordings nothing speaks in one server, until a moderator unfreezes it.

    It hangs on no consent: a moderator's word is not undone by taking a consent back and giving it anew.
    """

    __tablename__ = "frozen_likenesses"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    frozen_at: Mapped[datetime]


class GuildSettingsRow(Base):
    """What is kept of one server. ``left_at`` is set while the bot is not in it.

    ``welcomed_at``: when the bot introduced itself there, which it does once. From ``seconds_a_day`` on it is
    what its moderators allow, from ``quotes_text`` on how answers look; see `bot.library.guild_settings`.
    """

    __tablename__ = "guild_settings"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    volume: Mapped[int | None] = mapped_column(Integer)
    channel_id: Mapped[int | None]
    cloning_on: Mapped[bool] = mapped_column(default=False)
    cloning_policy: Mapped[int | None] = mapped_column(Integer)
    cloning_by: Mapped[int | None]
    cloning_at: Mapped[datetime | None]
    default_voice_id: Mapped[str | None] = mapped_column(_ID, ForeignKey("voices.id", ondelete="SET NULL"))
    left_at: Mapped[datetime | None]
    welcomed_at: Mapped[datetime | None]
    seconds_a_day: Mapped[int | None] = mapped_column(Integer)
    exempt_roles: Mapped[list[str] | None]
    excluded_roles: Mapped[list[str] | None]
    excluded_members: Mapped[list[str] | None]
    allowed_channels: Mapped[list[str] | None]
    time_zone: Mapped[str | None] = mapped_column(String(64))
    day_began_at: Mapped[datetime | None]
    zone_from: Mapped[datetime | None]
    quotes_text: Mapped[bool | None]
    sends_ogg: Mapped[bool | None]


class ReadingRulesRow(Base):
    """How messages are read aloud in one server, see `bot.library.reading.ReadingRules`; None: as usual.

    ``words_changed`` counts the changes of its dictionary.
    """

    __tablename__ = "reading_rules"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    longest_seconds: Mapped[int | None] = mapped_column(Integer)
    longest_wait: Mapped[int | None] = mapped_column(Integer)
    says_names: Mapped[bool | None]
    name_pause: Mapped[int | None] = mapped_column(Integer)
    prefix: Mapped[str | None]
    reads_outsiders: Mapped[bool | None]
    reads_bots: Mapped[bool | None]
    names_emoji: Mapped[bool | None]
    announces: Mapped[bool | None]
    silenced_members: Mapped[list[str] | None]
    dictionary_roles: Mapped[list[str] | None]
    presets: Mapped[list[str] | None]
    words_changed: Mapped[int | None] = mapped_column(Integer)


class ReadChannelRow(Base):
    """A text channel that is read aloud: for good in the bound ``voice_channel_id``, or where the bot is."""

    __tablename__ = "read_channels"

    channel_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    guild_id: Mapped[int] = mapped_column(index=True)
    voice_channel_id: Mapped[int | None]


class ReadMemberRow(Base):
    """What a member has said of themselves for being read aloud in one server."""

    __tablename__ = "read_members"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, index=True)
    is_muted: Mapped[bool] = mapped_column(default=False)
    spoken_name: Mapped[str | None]


class DictionaryWordRow(Base):
    """A word of a server's dictionary, and how it is said. ``key`` is the same however the word is typed."""

    __tablename__ = "dictionary_words"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(primary_key=True)
    word: Mapped[str]
    spoken: Mapped[str]


class StarterRecordingRow(Base):
    """A recording of a starter voice; ``digest`` stands for the starter and the TTS gateway that made it."""

    __tablename__ = "starter_recordings"

    digest: Mapped[str] = mapped_column(_SHA256, primary_key=True)
    recording: Mapped[str] = mapped_column(_SHA256, primary_key=True, index=True)
    seconds: Mapped[float]
    made_at: Mapped[datetime]


class ChosenVoiceRow(Base):
    """The voice that a member uses in a server when they name none, and how fast it speaks for them.

    Without a ``voice_id`` it is the server's.
    """

    __tablename__ = "chosen_voices"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, index=True)
    voice_id: Mapped[str | None] = mapped_column(_ID, ForeignKey("voices.id", ondelete="CASCADE"), index=True)
    tempo: Mapped[float] = mapped_column(default=1.0)


class RecordingPostRow(Base):
    """A message in which a voice's recording stands. It outlives its voice until the message is deleted.

    ``tries`` is how often it could not be deleted, ``tried_at`` when that was last.
    """

    __tablename__ = "recording_posts"

    message_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    voice_id: Mapped[str] = mapped_column(_ID, index=True)
    channel_id: Mapped[int]
    attachment_id: Mapped[int]
    url: Mapped[str]
    posted_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(Integer, default=0)
    tried_at: Mapped[datetime | None]


class ChannelToSearchRow(Base):
    """A channel in which an earlier edition may have left recordings that are in no row.

    It is looked through once; ``tries`` and ``tried_at`` are as those of a `RecordingPostRow`.
    """

    __tablename__ = "channels_to_search"

    channel_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    tried_at: Mapped[datetime | None]


class VoiceMessageRow(Base):
    """A voice message of a generation, which has no words and no buttons; one row for each voice.

    ``voice_id`` is that of a real person's voice, or of the consent behind a likeness; "" if there is none.
    """

    __tablename__ = "voice_messages"

    message_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    voice_id: Mapped[str] = mapped_column(_ID, primary_key=True, index=True)
    channel_id: Mapped[int]
    take_id: Mapped[str] = mapped_column(_ID, index=True)
    posted_at: Mapped[datetime]


class UseRow(Base):
    """One use of a cloned voice; never the text. It outlives the voice: who used what, when, is the audit.

    ``speaker_id`` is whose voice it is, also when the voice is gone.
    """

    __tablename__ = "uses"
    __table_args__ = (Index(None, "guild_id", "used_at"),)

    id: Mapped[int] = mapped_column(_Counted, primary_key=True)
    guild_id: Mapped[int]
    voice_id: Mapped[str] = mapped_column(_ID, index=True)
    speaker_id: Mapped[int | None] = mapped_column(index=True)
    member_id: Mapped[int] = mapped_column(index=True)
    used_at: Mapped[datetime]
    seconds: Mapped[float]
    channel_id: Mapped[int | None]
    message_id: Mapped[int | None]


class UsageRow(Base):
    """How much speech was made in one day, or one hour, see `bot.library.usage`; or what one call reserves.

    Of all servers if ``guild_id`` is 0, of all members if ``member_id`` is, of all voices if ``voice_id`` is
    empty. ``counters`` are the keys that a reservation counts in. ``is_forgotten``: the member has had their
    data deleted, and it goes as soon as it does not count any more.
    """

    __tablename__ = "usage"
    __table_args__ = (Index(None, "guild_id", "began_at"), Index(None, "period", "began_at"))

    key: Mapped[str] = mapped_column(String(96), primary_key=True)
    period: Mapped[str] = mapped_column(String(8))
    began_at: Mapped[datetime]
    guild_id: Mapped[int]
    member_id: Mapped[int] = mapped_column(index=True)
    voice_id: Mapped[str] = mapped_column(_ID)
    milliseconds: Mapped[int]
    calls: Mapped[int] = mapped_column(Integer)
    counters: Mapped[list[str]]
    is_forgotten: Mapped[bool] = mapped_column(default=False)


class OutageRow(Base):
    """An outage of which the operator has been told, until it is over."""

    __tablename__ = "outages"

    what: Mapped[str] = mapped_column(String(32), primary_key=True)
    began_at: Mapped[datetime]


class ReportRow(Base):
    """A member's report of a generation to the moderators. ``speaker_id`` is whose voice is heard in it."""

    __tablename__ = "reports"
    __table_args__ = (Index(None, "guild_id", "reported_at"),)

    id: Mapped[int] = mapped_column(_Counted, primary_key=True)
    guild_id: Mapped[int]
    voice_id: Mapped[str | None] = mapped_column(_ID, index=True)
    speaker_id: Mapped[int | None] = mapped_column(index=True)
    take_id: Mapped[str | None] = mapped_column(_ID)
    reporter_id: Mapped[int] = mapped_column(index=True)
    member_id: Mapped[int | None] = mapped_column(index=True)
    channel_id: Mapped[int | None]
    message_id: Mapped[int | None]
    reported_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class GenerationRow(Base):
    """A generation, so that its buttons work for a week; the only place where a member's text is kept.

    ``lines`` is what was said, one for each of ``voice_ids`` in a dialogue, and otherwise a single one.
    """

    __tablename__ = "takes"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    guild_id: Mapped[int | None] = mapped_column(index=True)
    member_id: Mapped[int] = mapped_column(index=True)
    lines: Mapped[list[str]]
    style: Mapped[str | None]
    guidance: Mapped[float | None]
    steps: Mapped[int | None] = mapped_column(Integer)
    tempo: Mapped[float] = mapped_column(default=1.0)
    voice_ids: Mapped[list[str]]
    likeness: Mapped[str | None]
    cache_key: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(index=True)


class CachedSpeechRow(Base):
    """Finished speech whose file is kept under ``key``. See `bot.library.cached_speeches`."""

    __tablename__ = "cached_speeches"

    key: Mapped[str] = mapped_column(_SHA256, primary_key=True)
    bytes: Mapped[int]
    made_at: Mapped[datetime]
    used_at: Mapped[datetime]


class CachedSpeechLabelRow(Base):
    """Whom or what a kept speech concerns, as a digest: a member, a voice, or a recording."""

    __tablename__ = "cached_speech_labels"

    key: Mapped[str] = mapped_column(
        _SHA256, ForeignKey("cached_speeches.key", ondelete="CASCADE"), primary_key=True
    )
    label: Mapped[str] = mapped_column(String(32), primary_key=True, index=True)
