"""A PostgreSQL of our own for the tests, from Debian's packages where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final, Self

ACCOUNT: Final = "postgres"
"""The account that Debian's package makes; the server refuses to run as root."""

_START_SECONDS: Final = 60.0
_OPTIONS: Final = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "listen_addresses=")

# Waits until whoever started it closes its standard input, even by being killed; then nothing is left.
_GUARD: Final = 'folder=$1; shift; "$@" & server=$!; cat; kill -QUIT $server; wait $server; rm -rf "$folder"'


def programs() -> Path | None:
    """Return the folder of the newest installed server; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3])
    usable = bool(found) and (os.geteuid() != 0 or shutil.which("setpriv") is not None)
    return found[-1].parent if usable else None


class PostgreSQL:
    """A server that only this machine can reach, over a socket file, and that ends with the tests.

    A context manager: entered it answers. It ends also when the process that started it is killed.
    """

    def __init__(self, folder: Path) -> None:
        self._programs = folder
        self.folder = Path(tempfile.mkdtemp(prefix="myna-postgresql-"))
        self._as_account: tuple[str, ...] = ()
        if os.geteuid() == 0:
            self._as_account = ("setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups")
            shutil.chown(self.folder, ACCOUNT, ACCOUNT)

    def url(self, name: str) -> str:
        """Return the address of the database with this name."""
        return f"postgresql://{ACCOUNT}@/{name}?host={self.folder}"

    def __enter__(self) -> Self:
        data = self.folder / "data"
        initdb = ("--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={ACCOUNT}")
        subprocess.run(
            [*self._as_account, str(self._programs / "initdb"), *initdb, "-D", str(data)],
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
        )
        options = [part for option in _OPTIONS for part in ("-c", option)]
        server = (str(self._programs / "postgres"), "-D", str(data), "-k", str(self.folder), *options)
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "sh", str(self.folder), *self._as_account, *server],
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the tests, not for the server
        )
        self._await_answer()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(_START_SECONDS)

    def _await_answer(self) -> None:
        ready = [str(self._programs / "pg_isready"), "-q", "-h", str(self.folder)]
        deadline = time.monotonic() + _START_SECONDS
        while subprocess.run(ready, check=False, cwd=self.folder).returncode != 0:
            if time.monotonic() > deadline or self._guard.poll() is not None:
                raise RuntimeError("the PostgreSQL of the tests does not start")
            time.sleep(0.05)
