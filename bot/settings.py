"""The settings: the only reader of the environment."""

from __future__ import annotations

import codecs
import ipaddress
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from yarl import URL

from bot.errors import SettingsError
from bot.limits import (
    CALLS_AT_ONCE_AT_FIRST,
    MAX_CACHE_MEGABYTES,
    MAX_CALLS_AT_ONCE,
    MAX_DAILY_SECONDS,
    MAX_DATA_MEGABYTES,
    MAX_GUIDANCE,
    MAX_HOURLY_CALLS,
    MAX_IDLE_MINUTES,
    MAX_STEPS,
    MIN_GUIDANCE,
    MIN_STEPS,
)
from bot.models import RecordingPlace
from untrusted.confinement import wipe_environment

HOSTED_TTS_BASE_URL = "https://gateway.pixazo.ai/voxcpm/v1"
"""Where the hosted TTS gateway answers (its API document)."""

PREVIEW: Final = "preview"
"""The engine of our own TTS gateway that needs no model, and never sounds like a person."""

_ENGINES: Final = ("auto", PREVIEW, "sherpa", "voxcpm")
_VOICES: Final = Path(__file__).parents[1] / "voices"  # where `python -m tts_gateway models` puts them

_CHILD_VARIABLES = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE"),  # how numpy reckons
    *("TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "USERPROFILE", "COMSPEC", "PATHEXT"),
)

_SECRETS = ("DISCORD_TOKEN", "TTS_API_KEY", "DATABASE_URL", "HTTPS_PROXY")

_SOUND_PROCESSES = ("auto", "on", "off")
_LOG_LEVELS = ("debug", "info", "warning", "error")
_LOG_FORMATS = ("text", "json")
_DATABASES = ("postgresql", "postgres", "postgresql+asyncpg", "sqlite", "sqlite+aiosqlite")
_MAX_DISCORD_ID = 2**63 - 1
_TOKEN = re.compile(r"[\x21-\x7e]{16,256}")
_HEADER = re.compile(r"[\x20-\x7e]{1,8000}")  # common servers refuse a header line of more than 8,190 bytes
_NUMBER = re.compile(r"[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?")
_BIND_ADDRESS = re.compile(r"(?:(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253})):)?([0-9]{1,5})")
_MAX_PAGE_CHARS = 200
_PAGE = re.compile(rf"(?=.{{1,{_MAX_PAGE_CHARS}}}\Z)https?://[\x21-\x3b\x3d\x3f-\x7e]+")  # no < and >
_MAILBOX = re.compile(rf"(?=.{{1,{_MAX_PAGE_CHARS}}}\Z)[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LINE_END = re.compile(r"\r\n|\n|\r")
_BYTE_ORDER_MARKS = (
    *((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32")),
    *((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")),  # the mark of 32 begins like it
)
_MAX_PAGE_CHARS = 500  # it must fit into a message
_MAX_FILE_BYTES = 1024 * 1024  # of a file with settings; a path may name something endless


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


@dataclass(frozen=True)
class Proxy:
    """The HTTP proxy that leads out of this network, and the hosts that are reached without it.

    ``address`` may hold a password. ``exempt`` is what NO_PROXY says: names, which stand for everything
    below them too, IP addresses, networks such as 10.0.0.0/8, or ``*``, with commas between them.
    """

    address: Secret
    exempt: str = ""

    def for_host(self, host: str) -> str | None:
        """Return the proxy's address for ``host``; None where it is reached directly, as this machine is."""
        host = host.strip("[]").rstrip(".").lower()
        exempt = [part.strip().lower() for part in self.exempt.split(",")]
        if any(_is_below(host, name) for name in ("localhost", *exempt)):
            return None
        with suppress(ValueError):
            address = ipaddress.ip_address(host)
            if address.is_loopback or any(address in network for network in _networks(exempt)):
                return None
        return self.address.reveal()

    @property
    def place(self) -> str:
        """Its host and port, for sentences."""
        parts = urlsplit(self.address.reveal())
        return parts.netloc.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Address:
    """Where something is served."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_below(host: str, name: str) -> bool:
    """Return whether NO_PROXY's ``name`` stands for ``host``: itself, what is above it, or everything."""
    name = name.removeprefix("*").removeprefix(".") if name != "*" else name
    return name == "*" or (name != "" and (host == name or host.endswith(f".{name}")))


def _networks(parts: Iterable[str]) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for part in parts:
        with suppress(ValueError):
            yield ipaddress.ip_network(part, strict=False)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an operator can set. Field ``tts_api_key`` is variable ``TTS_API_KEY``."""

    discord_token: Secret | None = None
    tts_base_url: str | None = None
    tts_api_key: Secret | None = None
    tts_guidance: float = 2.0
    tts_steps: int = 10
    tts_concurrency_start: int = CALLS_AT_ONCE_AT_FIRST
    tts_concurrency_max: int = MAX_CALLS_AT_ONCE
    tts_refill_url: str | None = None
    tts_engine: str = "auto"
    daily_seconds_per_member: int = 0
    daily_seconds_per_server: int = 0
    daily_seconds: int = 0
    max_calls_per_hour: int = 0
    data_dir: Path = field(default=Path("data"))
    database_url: Secret | None = None
    storage_channel_id: int | None = None
    https_proxy: Secret | None = None
    no_proxy: str | None = None
    cache_megabytes: int = 200
    data_megabytes: int = 5_000
    idle_minutes: int = 0
    sound_process: str = "auto"
    log_level: str = "info"
    log_format: str = "text"
    metrics_address: Address | None = None
    privacy_url: str | None = None
    terms_url: str | None = None
    support_url: str | None = None
    report_url: str | None = None
    source_url: str | None = None

    @classmethod
    def from_env(cls, environment: Mapping[str, str | None]) -> Settings:
        """Return the settings in ``environment``; each may also come as NAME_FILE, a path.

        Raises `SettingsError` whose text says which variable to mend and how.
        """
        values = _Reader(environment)
        return cls(
            discord_token=values.token("DISCORD_TOKEN"),
            tts_base_url=values.address("TTS_BASE_URL"),
            tts_api_key=values.key("TTS_API_KEY"),
            tts_guidance=values.number("TTS_GUIDANCE", cls.tts_guidance, MIN_GUIDANCE, MAX_GUIDANCE),
            tts_steps=int(values.number("TTS_STEPS", cls.tts_steps, MIN_STEPS, MAX_STEPS, whole=True)),
            tts_concurrency_start=values.calls("TTS_CONCURRENCY_START", cls.tts_concurrency_start),
            tts_concurrency_max=values.calls("TTS_CONCURRENCY_MAX", cls.tts_concurrency_max),
            tts_refill_url=values.web_page("TTS_REFILL_URL"),
            tts_engine=values.choice("TTS_ENGINE", cls.tts_engine, _ENGINES),
            daily_seconds_per_member=values.whole("DAILY_SECONDS_PER_MEMBER", MAX_DAILY_SECONDS),
            daily_seconds_per_server=values.whole("DAILY_SECONDS_PER_SERVER", MAX_DAILY_SECONDS),
            daily_seconds=values.whole("DAILY_SECONDS", MAX_DAILY_SECONDS),
            max_calls_per_hour=values.whole("MAX_CALLS_PER_HOUR", MAX_HOURLY_CALLS),
            data_dir=values.path("DATA_DIR", Path("data")),
            database_url=values.database("DATABASE_URL"),
            storage_channel_id=values.discord_id("STORAGE_CHANNEL_ID"),
            https_proxy=values.proxy("HTTPS_PROXY"),
            no_proxy=values.text("NO_PROXY") or values.text("no_proxy"),
            cache_megabytes=int(
                values.number("CACHE_MEGABYTES", cls.cache_megabytes, 0, MAX_CACHE_MEGABYTES, whole=True)
            ),
            data_megabytes=int(
                values.number("DATA_MEGABYTES", cls.data_megabytes, 0, MAX_DATA_MEGABYTES, whole=True)
            ),
            idle_minutes=int(
                values.number("IDLE_MINUTES", cls.idle_minutes, 0, MAX_IDLE_MINUTES, whole=True)
            ),
            sound_process=values.choice("SOUND_PROCESS", cls.sound_process, _SOUND_PROCESSES),
            log_level=values.choice("LOG_LEVEL", cls.log_level, _LOG_LEVELS),
            log_format=values.choice("LOG_FORMAT", cls.log_format, _LOG_FORMATS),
            metrics_address=values.bind_address("METRICS_ADDRESS"),
            privacy_url=values.page("PRIVACY_URL"),
            terms_url=values.page("TERMS_URL"),
            support_url=values.page("SUPPORT_URL"),
            report_url=values.page("REPORT_URL"),
            source_url=values.page("SOURCE_URL"),
        )

    @classmethod
    def load(cls) -> Settings:
        """Return the settings in `.env` and the environment; the environment wins.

        Raises `SettingsError` as `from_env` does, and for a `.env` that is no readable text.
        """
        return cls.from_env({**_dotenv(), **os.environ})

    @property
    def database_address(self) -> str | None:
        """DATABASE_URL as it was given, with its password; None: a file under ``data_dir``."""
        return self.database_url.reveal() if self.database_url else None

    @property
    def proxy(self) -> Proxy | None:
        """The proxy to the internet, if there is one."""
        return Proxy(self.https_proxy, self.no_proxy or "") if self.https_proxy else None

    @property
    def tts_source(self) -> str:
        """A word for where speech comes from; it is another one whenever it may sound different."""
        where = self.tts_base_url or HOSTED_TTS_BASE_URL
        if self.own_tts_gateway:
            where = "own" if self.own_engine == PREVIEW else f"own {self.own_engine}"
        return f"{where} {self.tts_guidance} {self.tts_steps}"

    @property
    def own_engine(self) -> str:
        """The engine of the bot's own TTS gateway: what is set, or what `make voices` has installed."""
        if self.tts_engine != "auto":
            return self.tts_engine
        is_here = find_spec("sherpa_onnx") is not None and any(_VOICES.glob("*/manifest.json"))
        return "sherpa" if is_here else PREVIEW

    @property
    def has_preview_voice(self) -> bool:
        """Whether nothing else than the preview voice speaks."""
        return self.own_tts_gateway and self.own_engine == PREVIEW

    @property
    def refill_page(self) -> str:
        """The page where the operator buys credit and sees their key: the TTS gateway's, if none is set."""
        return self.tts_refill_url or str(URL(self.tts_base_url or HOSTED_TTS_BASE_URL).origin())

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
        for address in (self.database_url, self.https_proxy):
            password = urlsplit(address.reveal()).password if address else None
            if address and password:
                known += [address.reveal(), *{password, unquote(password)}]
        return known

    @property
    def own_tts_gateway(self) -> bool:
        """Whether the bot starts its own TTS gateway: no other is named and there is no key."""
        return self.tts_base_url is None and self.tts_api_key is None

    @property
    def hosted_tts_gateway(self) -> bool:
        """Whether speech is made by the hosted model."""
        return not self.own_tts_gateway and self.tts_base_url in (None, HOSTED_TTS_BASE_URL)


def child_environment() -> dict[str, str]:
    """Return what a process that we start inherits: what it needs to run, and no setting of ours."""
    return {name: os.environ[name] for name in _CHILD_VARIABLES if name in os.environ}


def whole_environment() -> dict[str, str]:
    """Return what a process inherits that is the bot itself: everything, until `forget_secrets`."""
    return dict(os.environ)


def forget_secrets() -> None:
    """Take our secrets out of the environment, once the settings hold them; `/proc` shows them no more."""
    wipe_environment((*_SECRETS, "https_proxy"))


def files_others_can_read() -> list[Path]:
    """Return the files with our secrets that any user of this machine can read.

    Always empty on Windows, where the mode says nothing, and for what a container mounts on purpose.
    """
    if os.name != "posix":
        return []
    paths = [os.environ.get(f"{name}_FILE") for name in _SECRETS]
    named = [Path(path).expanduser() for path in paths if path]
    dotenv = Path(".env")
    if dotenv.is_file() and any(_dotenv().get(name) for name in _SECRETS):
        named.append(dotenv)
    mounted = Path("/run/secrets")
    return [
        path
        for path in named
        if path.is_file() and mounted not in path.parents and path.stat().st_mode & 0o044
    ]


def _dotenv() -> dict[str, str | None]:
    path = Path(".env")
    try:
        data = _content(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(
            f".env cannot be read ({error.strerror}). It must be a text file that the bot may read, such as "
            "a copy of .env.example."
        ) from None
    try:
        text = _decoded(data)
    except UnicodeDecodeError as error:
        line = _line_after(error.object[: error.start].decode(error.encoding, "replace"))
        raise SettingsError(
            f"Line {line} of .env has characters that are not UTF-8. Save the file as UTF-8 and start again."
        ) from None
    if "\0" in text:
        line = _line_after(text.partition("\0")[0])
        raise SettingsError(
            f"Line {line} of .env has NUL bytes, so the file is damaged or not UTF-8. Save it as UTF-8 and "
            "start again."
        )
    return dotenv_values(stream=StringIO(text))


def _content(path: Path) -> bytes:
    """Return what is in the file. Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(_MAX_FILE_BYTES)


def _decoded(data: bytes) -> str:
    """Return the text, read by its byte order mark; without one it is UTF-8. Raises `UnicodeDecodeError`."""
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8")
    return data.decode(encoding)


def _line_after(text: str) -> int:
    return len(_LINE_END.findall(text)) + 1


class _Reader:
    """Reads one variable after the other, and turns what is wrong into a cure."""

    def __init__(self, environment: Mapping[str, str | None]) -> None:
        self._environment = environment

    def text(self, name: str) -> str | None:
        value = (self._environment.get(name) or "").strip()
        path = (self._environment.get(f"{name}_FILE") or "").strip()
        if "\0" in value:
            raise SettingsError(f"{name} has NUL bytes in it. Copy it again.")
        if value or not path:
            return value or None
        try:
            value = _decoded(_content(Path(path).expanduser())).strip()
            if "\0" in value:
                raise ValueError("NUL bytes")
            return value or None
        except (OSError, ValueError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text file"
            raise SettingsError(
                f"{name}_FILE names {path!r}, which cannot be read ({reason}). "
                "Check the path, and that the bot may read it."
            ) from error

    def token(self, name: str) -> Secret | None:
        value = self.text(name)
        if value is None:
            return None
        if not _TOKEN.fullmatch(value):
            raise SettingsError(
                f"{name} does not look like a key: it needs 16 to 256 printable characters without "
                "spaces. Copy it again, whole and without quotes."
            )
        return Secret(value)

    def key(self, name: str) -> Secret | None:
        value = self.text(name)
        if value is None:
            return None
        if not _HEADER.fullmatch(value):
            raise SettingsError(
                f"{name} cannot be sent as a header: it must be one line of up to 8000 plain ASCII "
                "characters. Copy it again, whole and without quotes."
            )
        return Secret(value)

    def path(self, name: str, default: Path) -> Path:
        value = self.text(name)
        if value is None:
            return default
        return Path(self._expanded(name, value))

    def _expanded(self, name: str, value: str) -> str:
        """Return ``value`` with the home folder for the ``~`` or ``~user`` that it begins with."""
        try:
            return str(Path(value).expanduser()) if value.startswith("~") else value
        except RuntimeError:
            raise SettingsError(
                f"{name} begins with {Path(value).parts[0]!r}, but there is no such home folder. "
                "Write the path in full."
            ) from None

    def proxy(self, name: str) -> Secret | None:
        value = self.text(name) or self.text(name.lower())
        if value is None:
            return None
        if "://" not in value:
            value = f"http://{value}"
        try:
            address = URL(value)
            host = (address.host or "").encode("idna")  # what connecting will do; it has rules of its own
            whole = address.scheme in ("http", "https") and host != b"" and bool(address.port)
        except ValueError:
            whole = False
        if not whole or not _HEADER.fullmatch(value) or " " in value:
            raise SettingsError(
                f"{name} must be http://host:port or http://user:password@host:port, with special characters "
                "in the password written as %40 for @ and so on; SOCKS is not supported."
            )
        return Secret(value)

    def address(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            host, _port = parts.hostname, parts.port
            written = URL(value).host is not None and value.isprintable() and " " not in value
        except ValueError:
            host, written = None, False
        loopback = host in ("127.0.0.1", "localhost", "::1")
        plain = written and not (parts.username or parts.query or parts.fragment)
        if not plain or parts.scheme not in (("http", "https") if loopback else ("https",)):
            raise SettingsError(
                f"{name} must be an https:// address up to and without /text-to-speech, for example "
                f"{HOSTED_TTS_BASE_URL} (http:// only on this machine)."
            )
        return value.rstrip("/")

    def bind_address(self, name: str) -> Address | None:
        """Return where to serve something: a port alone is one of this machine, which nobody else reaches."""
        value = self.text(name)
        if value is None:
            return None
        found = _BIND_ADDRESS.fullmatch(value)
        if found is None or not 0 < int(found[3]) < 65_536:
            raise SettingsError(
                f"{name} must be a port, such as 9464, or an address and a port, such as 0.0.0.0:9464, not "
                f"{value!r}."
            )
        return Address(found[1] or found[2] or "127.0.0.1", int(found[3]))

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
        scheme, where, file = value.partition(":///")
        if scheme.startswith("sqlite"):
            if not where or file.startswith((":memory:", "file:")):
                raise SettingsError(
                    f"{name} must name a file on the disk, such as sqlite:///path/to/file.db."
                )
            return Secret(f"{scheme}{where}{self._expanded(name, file)}")
        return Secret(value)

    def page(self, name: str) -> str | None:
        """Return the address of a page, or of a mailbox, that members read."""
        value = self.text(name)
        if value is not None and not (_PAGE.fullmatch(value) or _MAILBOX.fullmatch(value)):
            raise SettingsError(
                f"{name} must be the address of a page, https://..., or an email address, in up to "
                f"{_MAX_PAGE_CHARS} characters. Members see it in /about."
            )
        return value

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
            if not _NUMBER.fullmatch(value):  # Python also reads other digits, and underscores
                raise ValueError("not a number as people write it")
            number = int(value) if whole else float(value)
        except ValueError:
            number = lowest - 1
        if not lowest <= number <= highest:
            kind = "whole number" if whole else "number"
            raise SettingsError(f"{name} must be a {kind} from {lowest:g} to {highest:g}, not {value!r}.")
        return number

    def whole(self, name: str, highest: int) -> int:
        return int(self.number(name, 0, 0, highest, whole=True))

    def web_page(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            whole = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.password
        except ValueError:
            whole = False
        if not whole or not value.isprintable() or " " in value or len(value) > _MAX_PAGE_CHARS:
            raise SettingsError(f"{name} must be the https:// address of a page, whole and without spaces.")
        return value

    def calls(self, name: str, default: int) -> int:
        return int(self.number(name, default, 1, MAX_CALLS_AT_ONCE, whole=True))

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = (self.text(name) or default).lower()
        if value not in choices:
            raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
        return value
