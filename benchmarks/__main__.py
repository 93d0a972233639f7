"""Measures, prints tables, and keeps the figures: `python -m benchmarks [name ...]`."""

from __future__ import annotations

import argparse
import importlib
import time
from typing import Final

from benchmarks.figures import machine, print_table, save
from benchmarks.plot import draw

MODULES: Final = {
    "first_sound": "from the TTS gateway's answer to the first packet, ours and the tutorial way",
    "long_text": "how soon a minute of text is heard, and whether playing runs dry (for real)",
    "pacing": "how soon a minute of text is heard, and whether playing runs dry (simulated)",
    "encoding": "a minute of speech from WAV to Opus, and how long the event loop is held up",
    "loop_lag": "the event loop with 500 voice channels playing and 20 utterances being made",
    "memory": "an idle voice channel and a minute that waits, in kB",
    "start": "from starting the bot to being logged in",
    "playing": "what a playing voice channel costs, and how many one process carries",
    "voice_fit": "how near the offline preview voice comes to a recording",
}
"""Each is a module of this package with `run() -> Benchmark`."""


def main() -> None:
    """Run the benchmarks named on the command line, or all of them."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="; ".join(f"{name}: {what}" for name, what in MODULES.items()),
    )
    parser.add_argument("names", nargs="*", metavar="name", help=f"{', '.join(MODULES)}; all by default")
    names = parser.parse_args().names or list(MODULES)
    if unknown := [name for name in names if name not in MODULES]:
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    print("Measured on: " + ", ".join(f"{key} {value}" for key, value in machine().items()))
    for name in names:
        started = time.perf_counter()
        benchmark = importlib.import_module(f"benchmarks.{name}").run()
        print_table(benchmark)
        print(f"  {time.perf_counter() - started:.0f} s; every value: {save(name, benchmark)}")
    if picture := draw():
        print(f"\nThe goals as a picture: {picture}")


if __name__ == "__main__":
    main()
