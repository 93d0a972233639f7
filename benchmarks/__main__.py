"""Measures, prints tables, and keeps the figures: `python -m benchmarks [name ...]`."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks import voices
from benchmarks.figures import Benchmark, machine, print_table, save
from benchmarks.plot import draw

MODULES: Final = {
    "first_sound": "from the TTS gateway's answer to the first packet, ours and the tutorial way",
    "long_text": "how soon a minute of text is heard, and whether playing runs dry (for real)",
    "pacing": "how soon a minute of text is heard, and whether playing runs dry (simulated)",
    "encoding": "a minute of speech from WAV to Opus, and how long the event loop is held up",
    "many": "many servers at once, each of its parts also by itself: many-100, many-hanging ...",
    "loop_lag": "the event loop with 500 voice channels playing and 20 utterances being made",
    "memory": "an idle voice channel and a minute that waits, in kB",
    "start": "from starting the bot to being logged in",
    "playing": "what a playing voice channel costs, and how many one process carries",
    "reading": "a channel read aloud: first sound, between two messages, and 20 people: reading-first ...",
    "voice_fit": "how near the offline preview voice comes to a recording",
}
"""Each is a module of this package with `run() -> Benchmark`, or with `PARTS` and `run(part)`."""


def expanded(names: Sequence[str]) -> list[str]:
    """Return ``names`` with the parts of a benchmark, as ``many-10``, in place of its own.

    Raises ValueError, with what is no benchmark.
    """
    found = []
    for name in names:
        module, _, part = name.partition("-")
        parts = _parts(module) if module in MODULES else {}
        if name in MODULES:
            found += [f"{name}-{one}" for one in parts] or [name]
        elif part in parts:
            found.append(name)
        else:
            raise ValueError(name)
    return found


def _parts(module: str) -> Mapping[str, object]:
    parts: Mapping[str, object] = getattr(importlib.import_module(f"benchmarks.{module}"), "PARTS", {})
    return parts


def _run(name: str) -> Benchmark:
    module, _, part = name.partition("-")
    measure = importlib.import_module(f"benchmarks.{module}").run
    benchmark: Benchmark = measure(part) if part else measure()
    return benchmark


def main() -> None:
    """Run the benchmarks named on the command line, or all of them."""
    if sys.argv[1:2] == ["voices"]:
        sys.exit(voices.main(sys.argv[2:]))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="; ".join(f"{name}: {what}" for name, what in MODULES.items())
        + "; voices: the engines of the TTS gateway side by side (voices --help)",
    )
    parser.add_argument("names", nargs="*", metavar="name", help=f"{', '.join(MODULES)}; all by default")
    try:
        names = expanded(parser.parse_args().names or list(MODULES))
    except ValueError as error:
        parser.error(f"no such benchmark: {error}")
    print("Measured on: " + ", ".join(f"{key} {value}" for key, value in machine().items()))
    broken = [name for name in names if not _measured(name)]
    if picture := draw():
        print(f"\nThe goals as a picture: {picture}")
    if broken:
        sys.exit(f"Not measured: {', '.join(broken)}. The reasons are above.")


def _measured(name: str) -> bool:
    """Measure, print and save one benchmark; return whether that went well, so that the rest is not lost."""
    started = time.perf_counter()
    try:
        benchmark = _run(name)
        print_table(benchmark)
        print(f"  {time.perf_counter() - started:.0f} s; every value: {save(name, benchmark)}")
    except Exception:
        traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    main()
