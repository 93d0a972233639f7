"""The decoding processes of this test process."""

from __future__ import annotations

import psutil


def decoding_children() -> list[psutil.Process]:
    """Return those there are, the dead that nobody has waited for included.

    The servers and browsers of other tests in the same worker are children too, and not counted.
    """
    me = psutil.Process()
    return [child for child in me.children() if _decodes_for(child, me.pid)]


def _decodes_for(child: psutil.Process, parent_id: int) -> bool:
    try:
        if child.ppid() != parent_id:
            return False
        if child.status() == psutil.STATUS_ZOMBIE:
            return True
        return any(argument.endswith("child.py") for argument in child.cmdline())
    except psutil.Error:
        return False
