"""The rules of consent with one of them broken, and what the tests say to that.

`python -m tests.library.consent_mutants NAME` runs the tests of the rules and some hundred histories in a
process that has the mutant in place of the rules, and prints the names of those that fail, as JSON. Without a
name the rules are as they are.
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
HISTORIES: Final = 1_500
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Mutant:
    """One rule broken: ``old`` of the source is ``new``. ``harm`` is what a member would suffer."""

    old: str
    new: str
    harm: str
    is_in_histories: bool = True  # False: no history does what this rule forbids


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
        "if standing is None or standing.voice.guild_id != guild_id:",
        "if standing is None:",
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
        "if presser_id != request.speaker_id:",
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
        '    if request.policy_version != policy:\n        return "The rules for cloning have changed. The',
        '    if False:\n        return "The rules for cloning have changed. The',
        "nobody is asked again when the rules change",
    ),
}


@dataclass
class Failures:
    """A plugin of pytest that notes which tests failed, and how many ran."""

    ran: int = 0
    failed: list[str] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran += report.when == "call"
        if report.failed:
            self.failed.append(report.nodeid.rpartition("/")[2])

    def pytest_collection_finish(self) -> None:
        sys.modules["tests.library.test_consent_histories"].HISTORIES = HISTORIES  # type: ignore[attr-defined]


def break_rules(mutant: Mutant | None) -> None:
    """Put the rules into this process with the mutant's change; they must not have been imported."""
    assert RULES not in sys.modules
    spec = importlib.util.find_spec(RULES)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text("utf-8")
    if mutant is not None:
        if source.count(mutant.old) != 1:
            raise SystemExit(f"the rules have changed, and so must this mutant: {mutant.old}")
        source = source.replace(mutant.old, mutant.new)
    module = importlib.util.module_from_spec(spec)
    sys.modules[RULES] = module
    exec(compile(source, spec.origin, "exec"), module.__dict__)


def main(name: str | None) -> None:
    """Run the tests and print what failed."""
    break_rules(MUTANTS[name] if name else None)
    failures = Failures()
    files = [str(_HERE / name) for name in ("test_consent_rules.py", "test_consent_histories.py")]
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(
            ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-k", "not database", *files],
            plugins=[failures],
        )
    print(json.dumps({"ran": failures.ran, "failed": failures.failed}))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
