"""`python -m tests.soak`: let members do everything for an hour, with faults, and say whether Myna held."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import Counter

from bot.allocator import keep_read_buffers_small
from tests.soak.soak import Held, Verdict, Wishes, soak


def main(arguments: list[str] | None = None) -> int:
    """Run it, print the table, and return 1 if anything was wrong."""
    given = _parser().parse_args(arguments)
    seed = random.randrange(1_000_000) if given.seed is None else given.seed
    seconds = 60.0 * given.minutes
    wishes = Wishes(
        warm_up=min(600.0, seconds / 3), seconds=seconds, seed=seed, acknowledge_seconds=given.patience
    )
    print(
        f"A soak of {given.minutes:g} minutes after {wishes.warm_up:.0f} s of warm-up, --seed {seed}",
        flush=True,
    )
    keep_read_buffers_small()
    verdict = asyncio.run(soak(wishes))
    print(table(verdict))
    return 1 if verdict.wrong else 0


def table(verdict: Verdict) -> str:
    """Return the verdict as a table for people."""
    lines = [
        f"{verdict.asked.total():>8} interactions; of {verdict.unreachable} the main socket could not tell",
        f"{verdict.calls:>8} calls of the TTS gateway, {verdict.voices} voices at the end",
        f"{verdict.faults.total():>8} faults: {_listed(verdict.faults)}",
        "",
        *_rows("asked", verdict.asked),
        *_rows("answered", verdict.answers),
        *_rows("the app refused", verdict.impossible),
        *_rows("logged with a traceback", verdict.logged),
    ]
    if verdict.before is not None and verdict.after is not None:
        lines += [_held("after the warm-up", verdict.before), _held("at the end", verdict.after)]
        come = verdict.after.objects - verdict.before.objects
        lines.append(f"{'objects that came':>18}: {_listed(Counter(dict(come.most_common(20))))}")
    wrong = Counter(verdict.wrong)
    lines += ["", *(f"WRONG {count:>4} x {what}" for what, count in wrong.most_common(40))]
    lines.append("Failed." if wrong else "Held: nothing unanswered, nothing lost, nothing left behind.")
    return "\n".join(lines)


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{what} {count}" for what, count in counted.most_common())


def _rows(title: str, counted: Counter[str]) -> list[str]:
    return [f"{title}:", *(f"{count:>8} {what}" for what, count in counted.most_common(30)), ""]


def _held(when: str, held: Held) -> str:
    parts = f"{held.in_children:.0f} in children, {held.in_use:.0f} in use of its own heap"
    memory = f"{held.megabytes:.0f} MB ({parts})"
    rest = f"{held.descriptors} descriptors, {held.threads} threads, {held.tasks.total()} tasks"
    return f"{when:>18}: {memory}, {rest}, {held.open_items} open questions and forms"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (%(default)g)")
    parser.add_argument("--seed", type=int, help="the same members and faults again; any if not said")
    parser.add_argument(
        "--patience",
        type=float,
        default=3.0,
        metavar="SECONDS",
        help="how long Discord waits for an acknowledgement (%(default)g, as the real one)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
