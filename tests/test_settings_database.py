from __future__ import annotations

import pytest

from bot.settings import Settings
from tests.test_settings import KEY, problem


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://myna:p%40ss@db.example:5432/myna?sslmode=require",
        "postgres://myna@localhost/myna",
        "postgresql:///myna?host=/run/postgresql",
        "sqlite:///data/voices.db",
        "sqlite:////srv/voices.db",
    ],
)
def test_postgresql_and_files_of_sqlite_are_databases(url: str) -> None:
    settings = Settings.from_env({"DATABASE_URL": url})

    assert settings.database_url is not None
    assert settings.database_url.reveal() == url


@pytest.mark.parametrize(
    "url",
    [
        *(f"mysql://a:{KEY}@b/c", f"postgresql://a:{KEY}@b", f"postgresql://a:{KEY}@b:x/c", "sqlite://"),
        *(f"https://a:{KEY}@b/c", KEY, f"postgresql://a:{KEY}@[::1/c", "voices.db"),
    ],
)
def test_what_is_no_database_is_refused_without_showing_the_password(url: str) -> None:
    text = problem({"DATABASE_URL": url})

    assert text.startswith("DATABASE_URL must be postgresql://")
    assert KEY not in text


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "sqlite://host/x.db", "sqlite:///file:x?mode=memory"])
def test_a_database_that_would_be_gone_with_the_bot_is_refused(url: str) -> None:
    assert problem({"DATABASE_URL": url}).startswith("DATABASE_URL must name a file on the disk")


@pytest.mark.parametrize("number", ["#recordings", "0", "-5", "1.5", "9" * 19, "1" * 40, "１２"])
def test_a_channel_is_named_by_its_number(number: str) -> None:
    assert problem({"STORAGE_CHANNEL_ID": number}).startswith("STORAGE_CHANNEL_ID must be the number of a ")


def test_every_secret_is_known_to_the_log_in_each_of_its_forms() -> None:
    settings = Settings.from_env({
        "DISCORD_TOKEN": KEY,
        "TTS_API_KEY": f"{KEY}-tts",
        "DATABASE_URL": "postgresql://myna:p%40ss-word@db.example/myna",
    })  # fmt: skip

    url = "postgresql://myna:p%40ss-word@db.example/myna"
    assert set(settings.secrets) == {KEY, f"{KEY}-tts", url, "p%40ss-word", "p@ss-word"}
    assert Settings().secrets == []
