from __future__ import annotations

import copy
import os
import pickle
import traceback
from collections.abc import Mapping
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from bot.errors import SettingsError
from bot.settings import HOSTED_TTS_BASE_URL, Secret, Settings, files_others_can_read

KEY = "canary-0123456789abcdef"


def problem(environment: Mapping[str, str | None]) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environment)
    return str(caught.value)


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()


def test_every_setting_is_read_from_its_variable() -> None:
    settings = Settings.from_env({
        "DISCORD_TOKEN": KEY,
        "TTS_BASE_URL": "https://tts.example.com/voxcpm/v1",
        "TTS_API_KEY": f"  {KEY}-tts\n",
        "TTS_GUIDANCE": "1.5",
        "TTS_STEPS": "20",
        "DATA_DIR": "/data",
        "DATABASE_URL": "postgresql://myna:secret@db.example/myna",
        "STORAGE_CHANNEL_ID": "123456789012345678",
        "CACHE_MEGABYTES": "0",
        "DATA_MEGABYTES": "800",
        "IDLE_MINUTES": "30",
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "Json",
    })  # fmt: skip

    assert settings.discord_token is not None
    assert settings.discord_token.reveal() == KEY
    assert settings.tts_api_key is not None
    assert settings.tts_api_key.reveal() == f"{KEY}-tts"
    assert settings.tts_base_url == "https://tts.example.com/voxcpm/v1"
    assert (settings.tts_guidance, settings.tts_steps) == (1.5, 20)
    assert settings.data_dir == Path("/data")
    assert settings.database_url is not None
    assert settings.database_url.reveal() == "postgresql://myna:secret@db.example/myna"
    assert settings.storage_channel_id == 123456789012345678
    assert settings.cache_megabytes == 0
    assert settings.data_megabytes == 800
    assert settings.idle_minutes == 30
    assert (settings.log_level, settings.log_format) == ("debug", "json")


@pytest.mark.parametrize("nothing", ["", "  ", None])
def test_an_empty_value_is_no_value(nothing: str | None) -> None:
    names = (
        "DISCORD_TOKEN",
        "TTS_BASE_URL",
        "TTS_API_KEY",
        "TTS_GUIDANCE",
        "TTS_STEPS",
        "DATA_DIR",
        "DATABASE_URL",
        "STORAGE_CHANNEL_ID",
        "CACHE_MEGABYTES",
        "DATA_MEGABYTES",
        "LOG_LEVEL",
    )

    assert Settings.from_env(dict.fromkeys(names, nothing)) == Settings()


BAD_TOKENS = ["short", "x" * 15, "x" * 257, f"{KEY} {KEY}"]
BAD_KEYS = [
    "k" * 8_001,
    f"{KEY}\n{KEY}",
    f"{KEY}\r\nX-Evil: 1",
    f"{KEY}\t{KEY}",
    f"{KEY}\x00",
    f"{KEY}\x7f",
    f"{KEY}é",
    f"{KEY}\u200b",
    f"“{KEY}”",
]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *(("DISCORD_TOKEN", bad) for bad in (*BAD_TOKENS, *BAD_KEYS)),
        *(("TTS_API_KEY", bad) for bad in BAD_KEYS),
    ],
)
def test_a_bad_key_is_refused_before_it_can_reach_a_header(name: str, bad: str) -> None:
    text = problem({name: bad})

    assert text.startswith(f"{name} ")
    assert "Copy it again" in text
    assert "\n" not in text
    assert bad not in text
    assert KEY not in text


@pytest.mark.parametrize("key", ["k", "short", "with a space", "k" * 16, "k" * 8_000, "sk-1:{}\"'=&%"])
def test_a_key_may_be_whatever_a_header_can_carry(key: str) -> None:
    settings = Settings.from_env({"TTS_API_KEY": key})

    assert settings.tts_api_key is not None
    assert settings.tts_api_key.reveal() == key


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("TTS_GUIDANCE", "0.9", "a number from 1 to 3"),
        ("TTS_GUIDANCE", "3.1", "a number from 1 to 3"),
        ("TTS_GUIDANCE", "two", "a number from 1 to 3"),
        ("TTS_GUIDANCE", "nan", "a number from 1 to 3"),
        ("TTS_GUIDANCE", "inf", "a number from 1 to 3"),
        ("TTS_CONCURRENCY_START", "0", "a whole number from 1 to 200"),
        ("TTS_CONCURRENCY_MAX", "201", "a whole number from 1 to 200"),
        ("TTS_STEPS", "3", "a whole number from 4 to 30"),
        ("TTS_STEPS", "31", "a whole number from 4 to 30"),
        ("TTS_STEPS", "10.5", "a whole number from 4 to 30"),
        ("TTS_STEPS", "1_0", "a whole number from 4 to 30"),
        ("TTS_STEPS", "１０", "a whole number from 4 to 30"),
        ("TTS_STEPS", "9" * 5_000, "a whole number from 4 to 30"),
        ("CACHE_MEGABYTES", "-1", "a whole number from 0 to 100000"),
        ("DATA_MEGABYTES", "5 GB", "a whole number from 0 to 999999"),
        ("CACHE_MEGABYTES", "200 MB", "a whole number from 0 to 100000"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("LOG_FORMAT", "xml", "one of text, json"),
    ],
)
def test_a_bad_value_gives_one_sentence_with_the_variable_and_the_cure(
    name: str, value: str, cure: str
) -> None:
    text = problem({name: value})

    assert text == f"{name} must be {cure}, not {value!r}."


@pytest.mark.parametrize(
    "address",
    [
        "tts.example.com/voxcpm/v1",
        "http://tts.example.com/voxcpm/v1",
        "http://127.0.0.1.example.com/v1",
        "http://localhost@evil.example/v1",
        "https://user:password@tts.example.com/v1",
        "https://tts.example.com/v1?subscription-key=x",
        "https://tts.example.com/v1#x",
        "ftp://tts.example.com/v1",
        "https://",
        "https://tts.example.com:99999/v1",
        "https://[::1/v1",
        "https://tts example.com/v1",
        "https://tts.example.com\\@evil.example/v1",
        "https://tts.example.com/\x01",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_could_leak_the_key_is_refused(address: str) -> None:
    text = problem({"TTS_BASE_URL": address})

    assert text.startswith("TTS_BASE_URL must be an https:// address")
    assert HOSTED_TTS_BASE_URL in text
    assert text.endswith(".")


@pytest.mark.parametrize(
    "address",
    [
        "https://tts.example.com/v1",
        "http://127.0.0.1:8808/voxcpm/v1",
        "http://localhost:1/v1",
        "http://[::1]:9/v1",
    ],
)
def test_https_is_taken_from_anywhere_and_http_from_this_machine(address: str) -> None:
    assert Settings.from_env({"TTS_BASE_URL": f"{address}/"}).tts_base_url == address


@pytest.mark.parametrize(
    ("environment", "own"),
    [
        ({}, True),
        ({"TTS_API_KEY": KEY}, False),
        ({"TTS_BASE_URL": "https://tts.example.com/v1"}, False),
        ({"DISCORD_TOKEN": KEY}, True),
    ],
)
def test_the_bot_starts_its_own_tts_gateway_when_none_is_named_and_there_is_no_key(
    environment: dict[str, str], own: bool
) -> None:
    assert Settings.from_env(environment).own_tts_gateway is own


def test_any_setting_may_come_from_a_file(tmp_path: Path) -> None:
    token, level = tmp_path / "token", tmp_path / "level"
    token.write_text(f"{KEY}\n", encoding="utf-8")
    level.write_text("warning\n", encoding="utf-8")

    settings = Settings.from_env({"DISCORD_TOKEN_FILE": str(token), "LOG_LEVEL_FILE": str(level)})

    assert settings.discord_token is not None
    assert settings.discord_token.reveal() == KEY
    assert settings.log_level == "warning"


def test_the_variable_itself_wins_over_the_file() -> None:
    settings = Settings.from_env({"LOG_LEVEL": "error", "LOG_LEVEL_FILE": "no such file"})

    assert settings.log_level == "error"


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, reason in [
        (str(tmp_path / "missing"), "No such file or directory"),
        (str(tmp_path), "Is a directory"),
        (str(binary), "it is not a text file"),
        ("a\x00b", "it is not a text file"),
    ]:
        text = problem({"TTS_API_KEY_FILE": path})

        assert text == (
            f"TTS_API_KEY_FILE names {path!r}, which cannot be read ({reason}). "
            "Check the path, and that the bot may read it."
        )


@hypothesis.settings(deadline=None)
@hypothesis.given(st.dictionaries(
    st.sampled_from(["DISCORD_TOKEN", "TTS_BASE_URL", "TTS_API_KEY", "TTS_GUIDANCE", "TTS_STEPS"]),
    st.text(max_size=30),
))  # fmt: skip
def test_any_environment_gives_settings_or_a_cure(environment: dict[str, str]) -> None:
    try:
        settings = Settings.from_env(environment)
    except SettingsError as error:
        assert str(error).startswith(tuple(environment))
    else:
        assert settings.log_level in ("debug", "info", "warning", "error")


def test_a_secret_shows_itself_only_when_asked_to() -> None:
    secret = Secret(KEY)
    settings = Settings(discord_token=secret, tts_api_key=secret)

    shown = [repr(secret), str(secret), f"{secret}", f"{secret!s:>40}", "%s %r" % (secret, secret)]  # noqa: UP031
    shown += [repr(settings), str(settings), repr([secret]), repr({"key": secret})]

    assert secret.reveal() == KEY
    assert not [text for text in shown if KEY[:6] in text]


def test_a_secret_is_not_serialised() -> None:
    for serialise in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not serialised"):
            serialise(Secret(KEY))
    with pytest.raises(TypeError, match="not serialised"):
        pickle.dumps(Settings(tts_api_key=Secret(KEY)))


def test_a_traceback_with_locals_does_not_show_a_secret() -> None:
    def fail(settings: Settings) -> None:
        secret = settings.tts_api_key
        raise RuntimeError(f"broken: {settings} {secret}")

    with pytest.raises(RuntimeError) as caught:
        fail(Settings.from_env({"TTS_API_KEY": KEY}))
    last = caught.tb.tb_next
    assert last is not None
    shown = traceback.TracebackException(RuntimeError, caught.value, last, capture_locals=True)

    text = "".join(shown.format())
    assert "Secret(***)" in text
    assert KEY not in text


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing on Windows")
def test_a_secret_that_other_users_can_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    token = tmp_path / "token"
    token.write_text("a-token-of-a-bot-in-a-file")
    token.chmod(0o600)
    monkeypatch.setenv("DISCORD_TOKEN_FILE", str(token))
    dotenv = tmp_path / ".env"
    dotenv.write_text("TTS_API_KEY=0123456789abcdef\n")
    dotenv.chmod(0o644)

    exposed = files_others_can_read()
    dotenv.chmod(0o600)

    assert exposed == [Path(".env")]
    assert files_others_can_read() == []


def test_a_dotenv_without_secrets_may_be_read_by_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("LOG_LEVEL=debug\n")
    (tmp_path / ".env").chmod(0o644)

    assert files_others_can_read() == []


def test_speech_made_elsewhere_or_otherwise_has_another_source() -> None:
    made = [
        Settings(),
        Settings(tts_api_key=Secret(KEY)),
        Settings(tts_base_url="https://tts.example.com/v1"),
        Settings(tts_guidance=1.5),
        Settings(tts_steps=20),
    ]

    assert len({settings.tts_source for settings in made}) == len(made)
    assert not any(KEY in settings.tts_source for settings in made)
