"""A library with people in it, for the tests of consent, privacy and audit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.library.consent_rules import POLICY_VERSION
from bot.library.library import Library
from bot.library.voice import Kind, NewVoice, Scope, Sharing, Voice

GUILD, ELSEWHERE = 810_000_000_000_000_001, 810_000_000_000_000_002
OWNER, SPEAKER, OTHER = 710_000_000_000_000_001, 710_000_000_000_000_002, 710_000_000_000_000_003
RECORDING = b"RIFF the recording of the speaker"

owner, speaker, other = (Scope(GUILD, member_id) for member_id in (OWNER, SPEAKER, OTHER))
moderator = Scope(GUILD, 710_000_000_000_000_009, is_moderator=True)


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 25, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


async def cloning_on(library: Library, *guild_ids: int, policy: int = POLICY_VERSION) -> None:
    """Let moderators turn cloning on in these servers."""
    for guild_id in guild_ids or (GUILD,):
        await library.settings.set_cloning(Scope(guild_id, 1, is_moderator=True), True, policy=policy)


async def agreed_voice(
    library: Library,
    name: str = "Ada",
    *,
    sharing: Sharing = Sharing.SERVER,
    recording: bytes = RECORDING,
    scope: Scope = owner,
    speaker_id: int = SPEAKER,
) -> Voice:
    """Save the speaker's voice for the owner, with everything that belongs to it."""
    sha256 = await library.recordings.keep(recording)
    asked = await library.consents.ask(scope, speaker_id, recording=sha256, name=name, sharing=sharing)
    await library.consents.answer(asked.id, speaker_id, True)
    new = NewVoice(
        *(name, Kind.CLONED, sha256, 6.0), speaker_id=speaker_id, consent_id=asked.id, sharing=sharing
    )
    return await library.voices.save(scope, new)


async def own_voice(library: Library, scope: Scope = speaker, name: str = "Myself") -> Voice:
    """Save a member's own voice."""
    sha256 = await library.recordings.keep(RECORDING + str(scope.member_id).encode())
    consent_id = await library.consents.attest(scope)
    new = NewVoice(*(name, Kind.CLONED, sha256, 6.0), speaker_id=scope.member_id, consent_id=consent_id)
    return await library.voices.save(scope, new)
