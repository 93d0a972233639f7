"""Consent with one rule, or one of its acts, broken, and what the tests say to that.

`python -m tests.library.consent_mutants NAME` runs the tests of that module and some hundred histories in a
process that has the mutant in its place, and prints the names of those that fail, as JSON. Without a name
everything is as it is.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

RULES: Final = "bot.library.consent_rules"
ACTS: Final = "bot.library.consent"
TESTS: Final = {RULES: "test_consent_rules.py", ACTS: "test_consent.py"}
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Mutant:
    """One rule or act broken: ``old`` of the source is ``new``. ``harm`` is what a member would suffer."""

    old: str
    new: str
    harm: str
    is_in_histories: bool = True  # False: no history does what this rule forbids
    module: str = RULES
    histories: int = 1_500


MUTANTS: Final = {
    "a revoked consent counts as given": Mutant(
        "or request.state not in (Consent.GRANTED, Consent.ASKED)",
        "or request.state not in (Consent.GRANTED, Consent.ASKED, Consent.REVOKED)",
        "who takes a voice back goes on being heard",
    ),
    "an open question counts as an answer": Mutant(
        "    if request.state is Consent.ASKED:\n        return",
        "    if False:\n        return",
        "whoever has only asked may clone",
    ),
    "nothing lapses": Mutant(
        "return Consent.LAPSED if is_open and lapses_at is not None and now >= lapses_at else state",
        "return state",
        "a speaker who has left is still heard, and a question can be answered for ever",
    ),
    "the server is not compared": Mutant(
        "or voice.guild_id != guild_id:",
        ":",
        "a voice is heard in a server where nobody agreed to it",
    ),
    "the server of the consent is not compared": Mutant(
        "(request.guild_id, request.speaker_id, request.asker_id)\n"
        "        != (voice.guild_id, voice.speaker_id, voice.owner_id)",
        "(request.speaker_id, request.asker_id)\n        != (voice.speaker_id, voice.owner_id)",
        "who agreed in one server is cloned in all",
    ),
    "the speaker is not compared": Mutant(
        "(request.guild_id, request.speaker_id, request.asker_id)\n"
        "        != (voice.guild_id, voice.speaker_id, voice.owner_id)",
        "(request.guild_id, request.asker_id)\n        != (voice.guild_id, voice.owner_id)",
        "the word of one member lets another be cloned",
    ),
    "a frozen voice speaks": Mutant(
        "if voice.is_frozen:", "if False:", "moderators cannot silence a voice at once"
    ),
    "never-clone-me is not asked": Mutant(
        "if standing.is_never_cloned:",
        "if False:",
        "who wants never to be cloned is heard",
        is_in_histories=False,  # saying it takes every voice away, so that this is the second lock
    ),
    "anybody answers for the speaker": Mutant(
        "if presser_id not in request.asked_ids:",
        "if False:",
        "whoever asks for a voice says yes to it",
    ),
    "a consent to another recording is enough": Mutant(
        "if request.recording not in ((None, voice.recording) if request.is_own else (voice.recording,)):",
        "if False:",
        "a yes to one sentence is a yes to every recording there is of somebody",
    ),
    "a voice may be shared with more people": Mutant(
        "if not request.is_own and not covers(",
        "if False and not covers(",
        "a yes to one owner is a yes to the whole server",
    ),
    "an older policy is as good": Mutant(
        '    if request.policy_version != policy:\n        return "The cloning rules have changed. The',
        '    if False:\n        return "The cloning rules have changed. The',
        "nobody is asked again when the rules change",
    ),
    "one of two is enough": Mutant(
        "return set(request.asked_ids) <= {request.agreed_id, presser_id}",
        "return True",
        "who wrote the message with the recording is cloned because another agrees",
    ),
    "the author is not asked": Mutant(
        "return (self.speaker_id,) if self.author_id is None else (self.speaker_id, self.author_id)",
        "return (self.speaker_id,)",
        "somebody's recording becomes a voice because a friend says that it is theirs",
    ),
    "what /clone makes is no cloned voice": Mutant(
        'kind=Kind.CLONED,\n        recording="",',
        'kind=Kind.DESIGNED,\n        recording="",',
        "what /clone has made is heard whatever its speaker takes back",
    ),
    "what /clone makes cannot be frozen": Mutant(
        "        is_frozen=is_frozen,\n    )",
        "        is_frozen=False,\n    )",
        "moderators cannot silence what is made of somebody's recording",
    ),
    "who is frozen says it anew": Mutant(
        "if is_own and is_frozen:",
        "if False:",
        "whose recordings a moderator has frozen saves them as a voice",
        is_in_histories=False,  # a likeness stays frozen under whichever consent
    ),
    "what has arrived is not looked at again": Mutant(
        "                refusal = refusal or self.permission_error_of(standing, guild_id)\n",
        "",
        "a voice message that was on its way is posted after its voice was taken back, and stays",
        module=ACTS,
    ),
    "a voice message is nobody's": Mutant(
        "                    real.append(consent_behind(voice.id) or voice.id)\n",
        "                    pass\n",
        "voice messages stay when the voice in them is taken back",
        module=ACTS,
    ),
    "voice messages of /clone stay": Mutant(
        "        posts += await rows.withdraw_voice_messages(ended)\n",
        "",
        "voice messages of /clone stay when its speaker takes everything back",
        module=ACTS,
    ),
    "turning cloning off stops no clone": Mutant(
        "likenesses = [likeness_id(request.id) for request in await rows.own_in(guild_id)]",
        "likenesses: list[str] = []",
        "what /clone has made plays on where cloning was turned off",
        module=ACTS,
    ),
    "turning cloning off stops no saved voice": Mutant(
        "voices = [replace(voice, is_frozen=True) for voice in await rows.cloned_in(guild_id)]",
        "voices: list[Voice] = []",
        "cloned voices play on where cloning was turned off",
        module=ACTS,
    ),
    "a clone plays on when its speaker leaves": Mutant(
        "likenesses = [] if is_here else [likeness_id(one.id) for one in resting]",
        "likenesses: list[str] = []",
        "who has left is heard to the end of the queue",
        module=ACTS,
    ),
    "a clone plays on when it is taken back": Mutant(
        "            likenesses=likenesses,\n            recordings=",
        "            recordings=",
        "who takes everything back is heard to the end of the queue",
        module=ACTS,
    ),
    "an author takes nothing back": Mutant(
        "await rows.asked_of(speaker_id, OPEN)",
        "await rows.in_states(speaker_id, OPEN)",
        "a voice is saved with what an author has taken back",
        module=ACTS,
    ),
    "an author's voices stay": Mutant(
        "for one in await rows.voices_agreed_by(speaker_id) if",
        "for one in await rows.voices_of(speaker_id) if",
        "the voice from an author's message plays on when they take it back",
        module=ACTS,
        histories=10_000,  # few play a voice that an author takes back
    ),
}


@dataclass
class Failures:
    """A plugin of pytest that notes which tests failed, and how many ran."""

    histories: int
    ran: int = 0
    failed: list[str] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran += report.when == "call"
        if report.failed:
            self.failed.append(report.nodeid.rpartition("/")[2])

    def pytest_collection_finish(self) -> None:
        sys.modules["tests.library.test_consent_histories"].HISTORIES = self.histories  # type: ignore[attr-defined]


def break_rules(mutant: Mutant | None) -> None:
    """Put the mutant's module into this process with its change; it must not have been imported."""
    if mutant is None:
        return
    assert mutant.module not in sys.modules
    spec = importlib.util.find_spec(mutant.module)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text("utf-8")
    if source.count(mutant.old) != 1:
        raise SystemExit(f"the rules have changed, and so must this mutant: {mutant.old}")
    source = source.replace(mutant.old, mutant.new)
    module = importlib.util.module_from_spec(spec)
    sys.modules[mutant.module] = module
    exec(compile(source, spec.origin, "exec"), module.__dict__)


def main(name: str | None) -> None:
    """Run the tests and print what failed."""
    mutant = MUTANTS[name] if name else None
    break_rules(mutant)
    failures = Failures(mutant.histories if mutant else Mutant.histories)
    tests = list(TESTS.values()) if mutant is None else [TESTS[mutant.module]]
    files = [str(_HERE / test) for test in (*tests, "test_consent_histories.py")]
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(
            [
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:randomly",
                "-k",
                "not database and not postgresql",
                *files,
            ],
            plugins=[failures],
        )
    print(json.dumps({"ran": failures.ran, "failed": failures.failed}))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
