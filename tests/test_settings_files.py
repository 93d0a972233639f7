"""Settings that come from files: `.env`, NAME_FILE, and paths that begin at home."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import Settings
from tests.test_settings import KEY, problem


def loaded(data: bytes) -> Settings:
    Path(".env").write_bytes(data)
    return Settings.load()


def refused(data: bytes) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(data)
    return str(caught.value)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DISCORD_TOKEN", "TTS_STEPS", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (b"", "utf-8"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_dotenv_is_read_by_its_byte_order_mark(mark: bytes, encoding: str, line_end: str) -> None:
    lines = ["DISCORD_TOKEN=" + KEY, "# Schlüssel 鍵", "TTS_STEPS=12", ""]

    settings = loaded(mark + line_end.join(lines).encode(encoding))

    assert settings.discord_token is not None
    assert settings.discord_token.reveal() == KEY
    assert settings.tts_steps == 12


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("# Schlüssel\nTTS_STEPS=12\n".encode("latin-1"), 1),
        ("TTS_STEPS=12\r\n# “quoted”\r\n".encode("cp1252"), 2),
        ("TTS_STEPS=12\n\n# ключ\n".encode("cp1251"), 3),
        (codecs.BOM_UTF8 + b"A=1\nB=\xff\n", 2),
        (codecs.BOM_UTF16_LE + "A=1\nB=2\n".encode("utf-16-le") + b"\x00", 3),
        ("A=1\nB=2".encode("utf-16-le"), 1),
        (b"A=1\nB=\x00\n", 2),
    ],
)
def test_a_dotenv_in_another_encoding_is_refused_with_its_line(data: bytes, line: int) -> None:
    text = refused(data)

    assert text.startswith(f"Line {line} of .env has ")
    assert "UTF-8" in text
    assert "\n" not in text


def test_a_dotenv_that_is_a_folder_is_refused_in_a_sentence() -> None:
    Path(".env").mkdir()

    with pytest.raises(SettingsError, match=r"^\.env cannot be read \(.+\)\. It must be a text file"):
        Settings.load()


def test_a_file_of_a_setting_is_read_by_its_byte_order_mark_too(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_bytes(codecs.BOM_UTF16_LE + f"{KEY}\r\n".encode("utf-16-le"))

    settings = Settings.from_env({"DISCORD_TOKEN_FILE": str(token)})

    assert settings.discord_token is not None
    assert settings.discord_token.reveal() == KEY


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="an endless file is needed")
def test_an_endless_file_of_a_setting_is_refused_and_not_read_for_ever() -> None:
    assert problem({"TTS_API_KEY_FILE": "/dev/zero"}).startswith("TTS_API_KEY_FILE names '/dev/zero', which ")


@pytest.mark.skipif(os.name != "posix", reason="HOME is the home folder")
def test_a_path_that_begins_with_a_tilde_begins_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "token").write_text(KEY)

    settings = Settings.from_env({
        "DATA_DIR": "~/myna",
        "DATABASE_URL": "sqlite:///~/myna/voices.db",
        "DISCORD_TOKEN_FILE": "~/token",
    })  # fmt: skip

    assert settings.data_dir == tmp_path / "myna"
    assert settings.database_url is not None
    assert settings.database_url.reveal() == f"sqlite:///{tmp_path}/myna/voices.db"
    assert settings.discord_token is not None
    assert Settings.from_env({"DATA_DIR": "a/~/b"}).data_dir == Path("a/~/b")


@pytest.mark.parametrize("name", ["DATA_DIR", "DATABASE_URL"])
def test_the_home_folder_of_nobody_is_refused(name: str) -> None:
    value = "~nobody-of-this-name/x"

    text = problem({name: value if name == "DATA_DIR" else f"sqlite:///{value}"})

    assert text.startswith(f"{name} begins with '~nobody-of-this-name'")
