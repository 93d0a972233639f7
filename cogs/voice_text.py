"""Voices in words: what kind, whose, for whom, how often; and what they say as samples."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import discord

from bot.delivery.voice_creation import KeptRecording
from bot.library.consent_rules import Shares
from bot.library.voice import NOBODY, Kind, Scope, Sharing, Voice, may_hear
from bot.text.labels import excerpt
from cogs.consent import users_in_words

_NAMED_MEMBERS: Final = 3
_EXCERPT_CHARS: Final = 300
_KINDS: Final = {
    Kind.DEFAULT: "house",
    Kind.DESIGNED: "designed",
    Kind.CLONED: "cloned",
    Kind.STARTER: "starter",
}


def owner_of(voice: Voice) -> str:
    """Return who looks after a voice."""
    return "this server" if voice.owner_id == NOBODY else f"<@{voice.owner_id}>"


def kind_of(voice: Voice) -> str:
    """Return where a voice comes from."""
    if voice.kind is not Kind.CLONED:
        return f"{_KINDS[voice.kind]} voice"
    if voice.speaker_id is None:
        return "cloned voice, nobody knows whose"
    whose = "their own" if voice.speaker_id == voice.owner_id else f"<@{voice.speaker_id}>'s"
    return f"cloned voice, {whose}"


def users_of(voice: Voice) -> str:
    """Return who may use a voice, as the rest of a sentence."""
    if voice.guild_id == voice.owner_id:
        return "only you, outside servers"
    if voice.sharing is Sharing.MEMBERS and len(voice.member_ids) > _NAMED_MEMBERS:
        return f"{owner_of(voice)} and {len(voice.member_ids)} other members"
    return users_in_words(owner_of(voice), Shares(voice.sharing, voice.role_id, voice.member_ids))


def uses_of(voice: Voice) -> str:
    """Return how often a voice was used, and when last."""
    if voice.last_used_at is None:
        return "never used"
    times = "once" if voice.uses == 1 else f"{voice.uses:,} times"
    return f"used {times}, last {ago(voice.last_used_at)}"


def ago(moment: datetime) -> str:
    """Return a moment as Discord shows it to each reader: 2 hours ago."""
    return discord.utils.format_dt(moment, "R")


def line_of(voice: Voice, reader_id: int) -> str:
    """Return a voice as one line of a list, for one reader."""
    parts = [f"**{excerpt(voice.name)}**", _KINDS[voice.kind], _whose(voice, reader_id), uses_of(voice)]
    if voice.is_frozen:
        parts.append("frozen")
    return " · ".join(parts)


def _whose(voice: Voice, reader_id: int) -> str:
    """Return whose a voice is and for whom, in a few words."""
    if voice.owner_id == reader_id:
        return "yours alone" if voice.sharing is Sharing.ME else f"yours, {_for_whom(voice)}"
    owner = "the server's" if voice.owner_id == NOBODY else f"<@{voice.owner_id}>'s"
    return f"{owner}, {_for_whom(voice)}"


def _for_whom(voice: Voice) -> str:
    if voice.sharing is Sharing.SERVER:
        return "for everybody here"
    if voice.sharing is Sharing.ROLE:
        return f"for <@&{voice.role_id}>"
    return "for a few members" if voice.sharing is Sharing.MEMBERS else "for nobody else"


def all_about(voice: Voice, scope: Scope, refusal: str | None) -> str:
    """Return everything this member may know of a voice; ``refusal`` is why it may not speak now."""
    lines = [
        f"**{excerpt(voice.name)}** · {kind_of(voice)} · {voice.seconds:.1f} s",
        f"Belongs to {owner_of(voice)}. Can be used by {users_of(voice)}.",
        f"Saved {ago(voice.created_at)}, {uses_of(voice)}.",
    ]
    if may_hear(scope, voice):
        lines += _written_about(voice)
    if refusal is not None:
        lines.append(f"It can't speak right now. {refusal}")
    return "\n".join(lines)


def _written_about(voice: Voice) -> list[str]:
    """Return what its owner has written: it is for those who may hear the recording."""
    lines = [f"Designed as: {_quoted(voice.description)}"] if voice.description else []
    if voice.transcript:
        return [*lines, f"What is said in the recording: {_quoted(voice.transcript)}"]
    return [*lines, "Add a transcript to make it sound closer: /voice edit."]


def _quoted(text: str) -> str:
    return f"“{excerpt(text, _EXCERPT_CHARS)}”"


_SENTENCES: Final = {
    "en": "Good morning and welcome, the kettle is on, the rain has stopped, "
    "and there is plenty of time for a good story.",
    "de": "Guten Morgen und willkommen, der Tee ist fertig, der Regen hat aufgehört, "
    "und wir haben viel Zeit für eine gute Geschichte.",
    "fr": "Bonjour et bienvenue, le thé est prêt, la pluie a cessé, "
    "et nous avons tout le temps pour une belle histoire.",
    "es": "Buenos días y bienvenidos, el té está listo, ha dejado de llover "
    "y tenemos mucho tiempo para una buena historia.",
    "it": "Buongiorno e benvenuti, il tè è pronto, ha smesso di piovere "
    "e abbiamo tutto il tempo per una bella storia.",
    "pt": "Bom dia e sejam bem-vindos, o chá está pronto, a chuva parou "
    "e temos bastante tempo para uma boa história.",
    "nl": "Goedemorgen en welkom, de thee is klaar, het regent niet meer, "
    "en we hebben alle tijd voor een mooi verhaal.",
}
_ENGLISH: Final = "en"


def sample_in(locale: str) -> str:
    """Return the sample for a member whose Discord speaks ``locale``: in their language, or English."""
    return _SENTENCES.get(locale.partition("-")[0], _SENTENCES[_ENGLISH])


def saved(voice: Voice, recorded: KeptRecording | None = None) -> str:
    """Return what the owner of a new voice reads: what was found and done, and how to use it."""
    findings = list(recorded.findings) if recorded is not None else []
    if recorded is not None and not findings:
        findings = ["The recording is good as it is."]
    who = "Everybody here" if voice.sharing is Sharing.SERVER else "Only you"
    return "\n".join([
        f"Saved as **{excerpt(voice.name)}**, from {voice.seconds:.1f} s of speech.",
        *findings,
        f"Type /speak with voice: {excerpt(voice.name)}. {who} can use it; /voice share changes that.",
    ])  # fmt: skip
