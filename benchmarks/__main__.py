"""Measures, prints tables, and keeps the figures: `python -m benchmarks [name ...]`."""

from __future__ import annotations

import argparse
import importlib
import time
from typing import Final

from benchmarks.figures import machine, print_table, save

MODULES: Final = {
    "pacing": "how soon a minute of text is heard, and whether playing runs dry (simulated)",
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


if __name__ == "__main__":
    main()
