"""A server with people in it, and what can be asked of it."""

from __future__ import annotations

from typing import Any

from bot.library.consent_rules import POLICY_VERSION
from bot.library.voice import Scope
from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.answers import Answer, AnswerState
from rehearsal.cdn import ShownFile
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.people import Person
from rehearsal.server import Rehearsal

PATIENCE = 30.0
"""Seconds that are far more than anything here takes, even on a busy machine."""


class Scene:
    """Alice and Bob in The Aviary, with #general and the voice channel Perch."""

    bot: SpeechBot
    settings: Settings

    def __init__(self, rehearsal: Rehearsal, faults: FaultScript) -> None:
        world = rehearsal.world
        self.rehearsal = rehearsal
        self.faults = faults
        self.guild = world.add_guild("The Aviary")
        self.general = self.guild.add_text_channel("general")
        self.perch = self.guild.add_voice_channel("Perch")
        self.alice = world.add_person("Alice")
        self.bob = world.add_person("Bob")
        self.guild.add_member(self.alice)
        self.guild.add_member(self.bob)

    async def speak(self, text: str = "Hello there", **options: Any) -> Answer:
        """Let Alice type /speak in #general."""
        return await self.alice.slash(self.general, "speak", text=text, **options)

    async def let_clone(self, *people: Person) -> None:
        """Turn cloning on, and let ``people`` have said that they clone their own voice."""
        library = self.bot.library
        moderator = Scope(self.guild.id, self.alice.id, is_moderator=True)
        await library.settings.set_cloning(moderator, True, policy=POLICY_VERSION)
        for person in people:
            await library.consents.attest(Scope(self.guild.id, person.id))

    @property
    def asked(self) -> list[dict[str, Any]]:
        """Return what the TTS gateway was asked, in order."""
        return [request.json for request in self.faults.requests]

    def say_no_more(self) -> None:
        """Drop what is still to be said: a bot that is shut down lets it end for some seconds."""
        player = self.bot.players.get(self.guild.id)
        if player is not None:
            player.stop()

    def assert_nobody_was_pinged(self) -> None:
        """Assert that no message of the bot could ping anybody, but one person whom it is about."""
        for request in self.rehearsal.requests:
            for body in _messages_in(request.json):
                allowed = body.get("allowed_mentions")
                is_quiet = allowed == {"parse": []}
                assert is_quiet or _pings_one(allowed), f"{request.method} {request.path}: {allowed}"


async def file_of(answer: Answer) -> ShownFile:
    """Return the one file under ``answer``, once it is there."""
    await answer.until(lambda shown: bool(shown.files), timeout=PATIENCE)
    assert len(answer.files) == 1
    return answer.files[0]


async def words_of(answer: Answer) -> str:
    """Return the final words of an answer that has no file; never Discord's own sentence for a failure."""
    await answer.until(
        lambda shown: (
            shown.state in (AnswerState.REPLIED, AnswerState.FAILED) and not shown.content.endswith(" …")
        ),
        timeout=PATIENCE,
    )
    assert answer.failure is None, answer.failure
    assert not answer.files
    return answer.content


async def refusal_of(press: Answer) -> str:
    """Return what only the presser sees, while the message with the button stays as it was."""
    await press.until(lambda shown: bool(shown.followups), timeout=PATIENCE)
    (told,) = press.followups
    assert told.ephemeral
    return told.content


def _messages_in(body: Any) -> list[dict[str, Any]]:
    """Return the parts of a request's body that are messages with words."""
    if not isinstance(body, dict):
        return []
    data = body.get("data") if "type" in body else body
    return [data] if isinstance(data, dict) and data.get("content") else []


def _pings_one(allowed: Any) -> bool:
    return isinstance(allowed, dict) and not allowed.get("parse") and len(allowed.get("users", [])) == 1
