"""Logging: one record, one line, and no secret in it, whichever way it comes."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, TextIO
from urllib.parse import quote

log = logging.getLogger(__name__)

OUR_PACKAGES: Final = ("bot", "cogs", "untrusted", "rehearsal", "tts_gateway", "benchmarks", "__main__")
"""What logs at the level that the operator has set; everything else is somebody else's library."""

_HIDDEN: Final = "***"
_SHOWN_PREFIX: Final = 12
"""A secret is known by its first characters, so that half a secret is hidden as well."""

_IS: Final = r"['\"]?\s*[:=,]\s*(?:b?['\"])?"
_PATTERNS: Final = (
    (re.compile(r"[\w-]{23,30}\.[\w-]{6,7}\.[\w-]{27,}"), _HIDDEN),  # a bot token, ours or not
    (re.compile(r"(/(?:webhooks|interactions)/\d+/)[\w-]+"), rf"\g<1>{_HIDDEN}"),
    (re.compile(r"\b(hm=)[0-9A-Za-z]+"), rf"\g<1>{_HIDDEN}"),  # the signature of a CDN address
    # A header in any dress: `name: value`, a dict, pairs of strings or bytes, the parameter of an address.
    (re.compile(rf"(?i)(subscription-key{_IS})[^\s'\",)}}&]+"), rf"\g<1>{_HIDDEN}"),
    (re.compile(rf"(?i)(authorization{_IS}(?:bot |bearer |basic )?)[^\s'\",)}}]+"), rf"\g<1>{_HIDDEN}"),
    (re.compile(r"(?i)(['\"](?:\w+_)?token['\"]\s*[:,]\s*b?['\"])[^'\"]+"), rf"\g<1>{_HIDDEN}"),
)

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTINUED: Final = "    | "


class RedactingFormatter(logging.Formatter):
    """Formats a record as one line of text or JSON, without ``secrets`` and what looks like one.

    A traceback in text follows on lines that begin with a bar: none of them can be taken for a record.
    """

    def __init__(self, log_format: str = "text", secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._json = log_format == "json"
        forms = [form for secret in secrets for form in _forms(secret)]
        self._secrets = re.compile("|".join(forms)) if forms else None

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or with a traceback the lines, for ``record``."""
        message, trace = record.getMessage(), self._trace(record)
        if lost := _lost_connection(record):
            message, trace = f"{message} ({lost})", ""
        message, trace = self.redact(message), self.redact(trace)
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        moment = f"{moment}.{int(record.msecs):03d}Z"
        if self._json:
            fields = {"time": moment, "level": record.levelname, "logger": record.name, "message": message}
            return json.dumps({**fields, "traceback": trace} if trace else fields)
        line = f"{moment} {record.levelname:<8} {record.name}: {_escape(message)}"
        return "\n".join([line, *(_CONTINUED + _escape(part) for part in trace.splitlines())])

    def redact(self, text: str) -> str:
        """Return ``text`` with everything secret replaced by ``***``."""
        if self._secrets is not None:
            text = self._secrets.sub(_HIDDEN, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def _trace(self, record: logging.LogRecord) -> str:
        trace = self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
        return "\n".join(part for part in (trace, record.stack_info) if part)


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        # The library's own would print the message and its arguments as they are.
        with suppress(OSError, ValueError):
            self.stream.write(f"a log call in {record.pathname}:{record.lineno} is wrong\n")


def set_up(
    level: str, log_format: str = "text", *, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Send every log record, warning and unhandled exception to ``stream`` (stderr), redacted.

    ``level`` and ``log_format`` are those of `Settings`; ``secrets`` are the values that must not appear.
    Only our own packages write below WARNING.
    """
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(RedactingFormatter(log_format, secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    ours = logging.getLevelNamesMapping()[level.upper()]
    # Below these levels libraries write what members typed, interaction tokens and the like: aiosqlite and
    # SQLAlchemy each statement with its values, discord.py each request, and at INFO its sessions.
    root.setLevel(max(ours, logging.WARNING))
    for package in OUR_PACKAGES:
        logging.getLogger(package).setLevel(ours)
    logging.captureWarnings(True)
    sys.excepthook = _unhandled
    threading.excepthook = _unhandled_in_thread
    sys.unraisablehook = _unraisable


def watch_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Log what nobody awaited in ``loop`` through our own handler; asyncio's would print locals' reprs."""
    loop.set_exception_handler(_unhandled_in_loop)


def _lost_connection(record: logging.LogRecord) -> str:
    """Return what discord.py lost its connection by: a line says it all; empty for every other record."""
    kind = record.exc_info[0] if record.exc_info else None
    if kind is None or not record.name.startswith("discord."):
        return ""
    libraries = {base.__module__.partition(".")[0] for base in kind.__mro__}
    return kind.__name__ if issubclass(kind, OSError) or libraries & {"aiohttp", "discord"} else ""


def _forms(secret: str) -> list[str]:
    """Return expressions for every dress in which ``secret`` can appear: whole, then cut off."""
    start = secret[:_SHOWN_PREFIX]
    if len(start) < 3:
        return []
    whole = [re.escape(dress) for dress in _dresses(secret)]
    cut = [re.escape(dress) + r"[^\s'\"<>,;&)}\]]*" for dress in _dresses(start)]
    raw = start.encode()
    raw = raw[: len(raw) // 3 * 3]  # base64 turns three bytes into four letters
    return [*whole, *cut, re.escape(b64encode(raw).decode()) + r"[A-Za-z0-9+/=_-]*"]


def _dresses(text: str) -> set[str]:
    return {text, repr(text)[1:-1], json.dumps(text)[1:-1], quote(text, safe="")}


def _escape(text: str) -> str:
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def _unhandled(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("unhandled", exc_info=(kind, error, trace))


def _unhandled_in_thread(hook: threading.ExceptHookArgs) -> None:
    if hook.exc_value is None or issubclass(hook.exc_type, SystemExit):
        return
    name = hook.thread.name if hook.thread else "unknown"
    log.error("unhandled in thread %s", name, exc_info=(hook.exc_type, hook.exc_value, hook.exc_traceback))


def _unraisable(hook: Any) -> None:  # sys.UnraisableHookArgs exists for type checkers only
    log.error("ignored in %s", type(hook.object).__name__, exc_info=hook.exc_value)


def _unhandled_in_loop(_: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    task = context.get("task") or context.get("future")
    name = task.get_name() if isinstance(task, asyncio.Task) else "none"
    log.error("%s (task %s)", context.get("message"), name, exc_info=context.get("exception"))
