"""What comes before a first clone: a moderator turns it on, and a member says whose voice it is."""

from __future__ import annotations

from typing import Final

from rehearsal.answers import Answer
from rehearsal.people import Person
from rehearsal.records import Channel

ACCEPT: Final = "Accept, and turn cloning on"
MY_OWN: Final = "This is my own voice"
_SECONDS: Final = 60.0


async def turn_cloning_on(moderator: Person, channel: Channel) -> Answer:
    """Let ``moderator`` type /voice cloning and accept the policy; return the bot's last word.

    Raises `TimeoutError` when the bot does not answer.
    """
    policy = await moderator.slash(channel, "voice cloning", switch="on")
    await policy.until(lambda answer: ACCEPT in answer.buttons, timeout=_SECONDS)
    accepted = await moderator.press(policy, ACCEPT)
    return await accepted.until(lambda answer: bool(answer.content), timeout=_SECONDS)


async def say_it_is_mine(person: Person, question: Answer) -> Answer:
    """Let ``person`` press that it is their own voice, and return the answer that the press gets."""
    await question.until(lambda answer: MY_OWN in answer.buttons, timeout=_SECONDS)
    return await person.press(question, MY_OWN)
