"""The settings: the only reader of the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values

from bot.errors import SettingsError
from bot.limits import MAX_CACHE_MEGABYTES, MAX_GUIDANCE, MAX_IDLE_MINUTES, MAX_STEPS, MIN_GUIDANCE, MIN_STEPS
from bot.models import RecordingPlace

HOSTED_TTS_BASE_URL = "https://gateway.pixazo.ai/voxcpm/v1"
"""Where the hosted TTS gateway answers (its API document)."""

_CHILD_VARIABLES = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH"),
    *("TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "USERPROFILE", "COMSPEC", "PATHEXT"),
)

_SECRETS = ("DISCORD_TOKEN", "TTS_API_KEY", "DATABASE_URL")

_LOG_LEVELS = ("debug", "info", "warning", "error")
_LOG_FORMATS = ("text", "json")
_DATABASES = ("postgresql", "postgres", "postgresql+asyncpg", "sqlite", "sqlite+aiosqlite")
_MAX_DISCORD_ID = 2**63 - 1
_PRINTABLE = re.compile(r"[\x21-\x7e]{16,256}")


class Secret:
    """A value that shows itself only to `reveal`, never to `repr`, logs, tracebacks or pickles."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not serialised")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an operator can set. Field ``tts_api_key`` is variable ``TTS_API_KEY``."""

    discord_token: Secret | None = None
    tts_base_url: str | None = None
    tts_api_key: Secret | None = None
    tts_guidance: float = 2.0
    tts_steps: int = 10
    data_dir: Path = field(default=Path("data"))
    database_url: Secret | None = None
    storage_channel_id: int | None = None
    cache_megabytes: int = 200
    idle_minutes: int = 0
    log_level: str = "info"
    log_format: str = "text"

    @classmethod
    def from_env(cls, environment: Mapping[str, str | None]) -> Settings:
        """Return the settings in ``environment``; each may also come as NAME_FILE, a path.

        Raises `SettingsError` whose text says which variable to mend and how.
        """
        values = _Reader(environment)
        return cls(
            discord_token=values.secret("DISCORD_TOKEN"),
            tts_base_url=values.address("TTS_BASE_URL"),
            tts_api_key=values.secret("TTS_API_KEY"),
            tts_guidance=values.number("TTS_GUIDANCE", cls.tts_guidance, MIN_GUIDANCE, MAX_GUIDANCE),
            tts_steps=int(values.number("TTS_STEPS", cls.tts_steps, MIN_STEPS, MAX_STEPS, whole=True)),
            data_dir=Path(values.text("DATA_DIR") or cls.data_dir),
            database_url=values.database("DATABASE_URL"),
            storage_channel_id=values.discord_id("STORAGE_CHANNEL_ID"),
            cache_megabytes=int(
                values.number("CACHE_MEGABYTES", cls.cache_megabytes, 0, MAX_CACHE_MEGABYTES, whole=True)
            ),
            idle_minutes=int(
                values.number("IDLE_MINUTES", cls.idle_minutes, 0, MAX_IDLE_MINUTES, whole=True)
            ),
            log_level=values.choice("LOG_LEVEL", cls.log_level, _LOG_LEVELS),
            log_format=values.choice("LOG_FORMAT", cls.log_format, _LOG_FORMATS),
        )

    @classmethod
    def load(cls) -> Settings:
        """Return the settings in `.env` and the environment; the environment wins."""
        return cls.from_env({**dotenv_values(".env"), **os.environ})

    @property
    def tts_source(self) -> str:
        """A word for where speech comes from; it is another one whenever it may sound different."""
        where = "own" if self.own_tts_gateway else self.tts_base_url or HOSTED_TTS_BASE_URL
        return f"{where} {self.tts_guidance} {self.tts_steps}"

    @property
    def recording_place(self) -> RecordingPlace:
        """Where the TTS gateway gets recordings of saved voices from."""
        if self.own_tts_gateway:
            return RecordingPlace.THIS_MACHINE
        return RecordingPlace.OWNER if self.storage_channel_id is None else RecordingPlace.STORAGE_CHANNEL

    @property
    def secrets(self) -> list[str]:
        """Every word that must not stand in a log."""
        known = [secret.reveal() for secret in (self.discord_token, self.tts_api_key) if secret]
        address = self.database_url.reveal() if self.database_url else ""
        password = urlsplit(address).password
        if password:
            known += [address, *{password, unquote(password)}]
        return known

    @property
    def own_tts_gateway(self) -> bool:
        """Whether the bot starts its own TTS gateway: no other is named and there is no key."""
        return self.tts_base_url is None and self.tts_api_key is None


def child_environment() -> dict[str, str]:
    """Return what a process that we start inherits: what it needs to run, and no setting of ours."""
    return {name: os.environ[name] for name in _CHILD_VARIABLES if name in os.environ}


def files_others_can_read() -> list[Path]:
    """Return the files with our secrets that any user of this machine can read.

    Always empty on Windows, where the mode says nothing, and for what a container mounts on purpose.
    """
    named = [Path(os.environ[f"{name}_FILE"]) for name in _SECRETS if os.environ.get(f"{name}_FILE")]
    dotenv = Path(".env")
    if dotenv.is_file() and any(dotenv_values(dotenv).get(name) for name in _SECRETS):
        named.append(dotenv)
    if os.name != "posix":
        return []
    mounted = Path("/run/secrets")
    return [
        path
        for path in named
        if path.is_file() and mounted not in path.parents and path.stat().st_mode & 0o044
    ]


class _Reader:
    """Reads one variable after the other, and turns what is wrong into a cure."""

    def __init__(self, environment: Mapping[str, str | None]) -> None:
        self._environment = environment

    def text(self, name: str) -> str | None:
        value = (self._environment.get(name) or "").strip()
        path = (self._environment.get(f"{name}_FILE") or "").strip()
        if value or not path:
            return value or None
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text file"
            raise SettingsError(
                f"{name}_FILE names {path!r}, which cannot be read ({reason}). "
                "Check the path, and that the bot may read it."
            ) from error

    def secret(self, name: str) -> Secret | None:
        value = self.text(name)
        if value is None:
            return None
        if not _PRINTABLE.fullmatch(value):
            raise SettingsError(
                f"{name} does not look like a key: it needs 16 to 256 printable characters without "
                "spaces. Copy it again, whole and without quotes."
            )
        return Secret(value)

    def address(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            host, _port = parts.hostname, parts.port
        except ValueError:
            host = None
        loopback = host in ("127.0.0.1", "localhost", "::1")
        plain = host is not None and not (parts.username or parts.query or parts.fragment)
        if not plain or parts.scheme not in (("http", "https") if loopback else ("https",)):
            raise SettingsError(
                f"{name} must be an https:// address up to and without /text-to-speech, for example "
                f"{HOSTED_TTS_BASE_URL} (http:// only on this machine)."
            )
        return value.rstrip("/")

    def database(self, name: str) -> Secret | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            whole = parts.scheme in _DATABASES and parts.path.strip("/") != "" and parts.port != 0
        except ValueError:
            whole = False
        if not whole:
            raise SettingsError(
                f"{name} must be postgresql://user:password@host/database or sqlite:///path/to/file.db, with "
                "special characters in the password written as %40 for @ and so on."
            )
        return Secret(value)

    def discord_id(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if not (
            value.isascii() and value.isdigit() and len(value) < 20 and 0 < int(value) <= _MAX_DISCORD_ID
        ):
            raise SettingsError(
                f"{name} must be the number of a channel, not {value!r}. Discord copies it for you: "
                "right-click the channel, Copy Channel ID (Settings, Advanced, Developer Mode)."
            )
        return int(value)

    def number(
        self, name: str, default: float, lowest: float, highest: float, *, whole: bool = False
    ) -> float:
        value = self.text(name)
        if value is None:
            return default
        try:
            number = int(value) if whole else float(value)
        except ValueError:
            number = lowest - 1
        if not lowest <= number <= highest:
            kind = "whole number" if whole else "number"
            raise SettingsError(f"{name} must be a {kind} from {lowest:g} to {highest:g}, not {value!r}.")
        return number

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = (self.text(name) or default).lower()
        if value not in choices:
            raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
        return value
