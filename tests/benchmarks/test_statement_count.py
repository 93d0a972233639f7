from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from benchmarks.statement_count import StatementCount, read_count

PROGRAM = """
import sys
from pathlib import Path
from sqlalchemy import create_engine, text
from benchmarks.statement_count import count_into

count_into(Path(sys.argv[1]))
for _ in range(2):  # each database of the process counts
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE birds (name TEXT)"))
        connection.execute(text("INSERT INTO birds VALUES ('magpie')"))
    with engine.connect() as connection:
        connection.execute(text("SELECT name FROM birds"))
print("done", flush=True)
sys.stdin.read()
"""


async def test_what_another_process_sends_to_its_databases_can_be_read_while_it_runs(tmp_path: Path):
    file = tmp_path / "count"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, str(file)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    said = await process.stdout.readline()
    counted = read_count(file)
    process.stdin.close()
    await process.wait()

    assert said == b"done\n"
    assert counted == StatementCount(statements=6, transactions=4)
    assert process.returncode == 0
