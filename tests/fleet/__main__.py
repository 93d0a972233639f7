"""`python -m tests.fleet`: thousands of servers on several processes, one killed, all started anew; figures.

A Discord on this machine, PostgreSQL, and the bot as an operator runs it. Nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.fleet.fleet import Fleet, open_fleet
from tests.library.postgresql import PostgreSQL, programs

SERVERS_PER_SHARD = 1_000
"""As Discord recommends it."""

_BEGAN = time.monotonic()


def say(words: str) -> None:
    """Print what is known, with the time."""
    print(f"{time.monotonic() - _BEGAN:6.0f} s  {words}", flush=True)


async def memory(server: PostgreSQL, folder: Path, *, processes: int, servers: int, shards: int) -> float:
    """Return the megabytes of all processes together with so few servers."""
    await asyncio.to_thread(folder.mkdir)
    async with open_fleet(
        server, server.url("postgres"), folder, shards=shards, identify_seconds=0.0
    ) as fleet:
        fleet.populate(servers, 0)
        for number in range(processes):
            await fleet.start(number)
        await fleet.settled()
        await asyncio.sleep(5)
        return sum(fleet.megabytes())


async def measure(fleet: Fleet, processes: int, seconds: float, before: float | None, servers: int) -> bool:
    """Print the figures of all phases; return whether nothing went wrong."""
    for number in range(processes):
        await fleet.start(number)
    say(f"{processes} processes share {fleet.shards} shards after {await fleet.settled():.0f} s")
    await asyncio.sleep(5)
    megabytes = fleet.megabytes()
    each = servers / processes
    say(f"memory: {', '.join(f'{one:.0f}' for one in megabytes)} MB, with {each:.0f} servers each")
    if before is not None:
        more = 1_000 * (sum(megabytes) - before) / servers
        say(
            f"memory of 1,000 servers: {more:.1f} MB, beside {before / processes:.0f} MB of a process without"
        )

    with fleet.asking() as asked:
        await asyncio.sleep(seconds)
    say(f"asked for {seconds:.0f} s: {asked}")
    for sentence, times in Counter(asked.failed).most_common(3):
        say(f"{times} times: {sentence}")
    is_well = asked.unanswered == 0 and asked.answered > 0

    with fleet.asking() as asked:
        await asyncio.sleep(3)
        await fleet.kill(0)
        say(f"one killed: all servers are served again after {await fleet.served():.1f} s")
        await asyncio.sleep(10)
    say(f"meanwhile: {asked}")
    await fleet.start(0)
    say(f"started again: shared evenly after {await fleet.settled():.0f} s")

    with fleet.asking() as asked:
        for number in range(processes):
            await fleet.stop(number)
            served = await fleet.served()
            await fleet.start(number)
            say(f"process {number} renewed: {served:.1f} s without, even after {await fleet.settled():.0f} s")
        await asyncio.sleep(5)
    say(f"all started anew, one after the other: {asked}")
    is_well &= asked.unanswered == 0 and asked.answered > 0

    too_quick = fleet.rehearsal.main_socket.too_quick
    say(f"shards that identified themselves too quickly: {too_quick}")
    for complaint in fleet.complaints()[:20]:
        say(complaint)
        is_well = False
    return is_well and too_quick == 0


async def run(given: argparse.Namespace) -> bool:
    """Measure all of it in folders and databases of its own."""
    shards = math.ceil(given.servers / SERVERS_PER_SHARD) if given.shards is None else given.shards
    found = programs()
    assert found is not None, "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
        before = None
        if not given.quick:
            with PostgreSQL(found) as server:
                before = await memory(
                    server, folder / "few", processes=given.processes, servers=shards, shards=shards
                )
        server = stack.enter_context(PostgreSQL(found))
        whole = folder / "many"
        whole.mkdir()
        async with open_fleet(server, server.url("postgres"), whole, shards=shards) as fleet:
            fleet.populate(given.servers, given.members)
            say(f"{given.servers} servers on {shards} shards, {given.members} members who ask")
            return await measure(fleet, given.processes, given.seconds, before, given.servers)


def main() -> int:
    """Carry out the command line; return 0 if nothing went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    parser.add_argument("--servers", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--members", type=int, default=30, help="who ask at the same time")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="how long they ask before anything happens"
    )
    parser.add_argument("--shards", type=int, help="one for 1,000 servers, if not said")
    parser.add_argument("--quick", action="store_true", help="leave out what memory is without servers")
    return 0 if asyncio.run(run(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
