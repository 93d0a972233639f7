"""What members read about cloning, before they agree to it."""

from __future__ import annotations

from typing import Final

from bot.library.consent import Request, Shares
from bot.library.consent_rules import CONSENT_HOURS
from bot.library.voices import Sharing
from bot.models import RecordingPlace
from bot.text.style import excerpt

POLICY: Final = (
    "Cloning is off in this server. Before you turn it on, please read what goes for everyone here:\n"
    "- Members clone their own voice. For somebody else's, that person has to agree with a button.\n"
    "- Every take says that it is AI-generated, with which voice, and who asked for it.\n"
    "- Moderators see who used which voice and when (/voice audit); the words are not recorded.\n"
    "- Everybody can take their voice back at once, or never be cloned at all: /privacy."
)
OWN_VOICE: Final = (
    "Is that your own voice? I clone only your own, unless you say with *of* whose it is, and they agree.\n"
    "When you press the button, I write down that you said so, and when. "
    "You can take it back at any time: /privacy revoke."
)
NOTED: Final = "Noted. Now type your command again."
TURNED_ON: Final = "Cloning is on. Now type your command again."


_PLACES: Final = {
    RecordingPlace.THIS_MACHINE: "it stays on the machine that I run on",
    RecordingPlace.STORAGE_CHANNEL: "into a private channel, for the service that makes the speech",
    RecordingPlace.OWNER: "in private to whoever runs me, for the service that makes the speech",
}


def question(asker: str, request: Request, place: RecordingPlace) -> str:
    """Return what the speaker is asked; ``asker`` is a mention. It names all they agree to."""
    return (
        f"<@{request.speaker_id}>, {asker} would like to save your voice from a recording, "
        f"as **{excerpt(request.name or 'Voice')}**.\n"
        f"- Who may speak with it: {who(asker, request.shares)}.\n"
        f"- Where the recording goes: {_PLACES[place]}.\n"
        "- How long: until you take it back, which works at any time with /privacy revoke.\n"
        f"- If you do nothing, this lapses in {CONSENT_HOURS} hours, and nothing is kept."
    )


def who(asker: str, shares: Shares) -> str:
    """Return who may use a voice, as the rest of a sentence."""
    if shares.sharing is Sharing.SERVER:
        return "everybody in this server"
    if shares.sharing is Sharing.ROLE:
        return f"{asker} and everybody with the role <@&{shares.role_id}>"
    if shares.sharing is Sharing.MEMBERS:
        names = ", ".join(f"<@{member_id}>" for member_id in sorted(shares.member_ids))
        return f"{asker} and {names}"
    return f"only {asker}"
