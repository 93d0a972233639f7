"""A process that holds a secret as the bot does, and has a hostile child. Run by `test_confinement.py`.

Arguments: `closed` or `open`, whether it does what `python -m bot` does to hide the secret; how the child is,
see `hostile_child.py`; a user to be, 0 for whoever starts it. Prints what the child got, what it said at the
end, and how many signals came.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import untrusted.decoder_child  # noqa: F401 - who has stopped being root may not read it any more
from bot.settings import Settings, forget_secrets
from tests.fakes import hostile_child
from untrusted.confinement import close_memory

PR_SET_DUMPABLE = 4


def main(how: str, walls: str, user: int) -> None:
    signals = 0

    def count(*_: object) -> None:
        nonlocal signals
        signals += 1

    signal.signal(signal.SIGUSR1, count)
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as for whoever is that user from the beginning
    token = Settings.from_env(os.environ).discord_token
    assert token is not None
    secret = ctypes.create_string_buffer(token.reveal().encode())
    if how == "closed":
        close_memory()
        forget_secrets()
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        path = Path(folder) / "listener"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            where = (ctypes.addressof(secret), len(secret.value), server.getsockname()[1], path)
            said = _forked(walls, *where) if user else _started(walls, *where)
    got, _, rest = said.partition("\n")
    print(json.dumps({"got": json.loads(got), "rest": rest, "signals": signals}))


def _started(walls: str, *where: object) -> str:
    """Start the child as the decoder is started."""
    ended = subprocess.run(
        [sys.executable, "-I", hostile_child.__file__, walls, *map(str, where)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={},
        text=True,
        timeout=60,
        check=False,
    )
    return ended.stdout


def _forked(walls: str, address: int, length: int, port: int, path: Path) -> str:
    """Fork it: who has stopped being root may not be allowed to start this Python."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.dup2(reading, 0)
        os.dup2(writing, 1)
        os.closerange(3, 100)  # so that nothing of ours is there, as after a start
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        try:
            hostile_child.attack(walls, address, length, port, path)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as output:
        said = output.read()
    os.waitpid(process, 0)
    return said


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
