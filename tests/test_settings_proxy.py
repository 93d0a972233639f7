"""HTTPS_PROXY and NO_PROXY: which hosts are reached through the proxy."""

from __future__ import annotations

import pytest

from bot.settings import Settings
from tests.test_settings import KEY, problem

PROXY = "http://proxy.example:3128"


def through_proxy(host: str, no_proxy: str = "") -> bool:
    proxy = Settings.from_env({"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}).proxy
    assert proxy is not None
    address = proxy.for_host(host)
    assert address in (None, PROXY)
    return address is not None


def test_without_a_proxy_there_is_none() -> None:
    assert Settings.from_env({"HTTPS_PROXY": "", "NO_PROXY": "*"}).proxy is None


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.10", "localhost", "LOCALHOST.", "[::1]", "x.localhost"]
)
def test_this_machine_is_never_reached_through_the_proxy(host: str) -> None:
    assert not through_proxy(host)


@pytest.mark.parametrize(
    ("host", "no_proxy", "through"),
    [
        ("discord.com", "", True),
        ("discord.com", "*", False),
        ("discord.com", "example.com, discord.com", False),
        ("gateway.discord.com", ".discord.com", False),
        ("evildiscord.com", "discord.com", True),
        ("DISCORD.com", "discord.COM", False),
        ("gateway.discord.com", "*.discord.com", False),
        ("", "", True),
        ("10.1.2.3", "10.0.0.0/8", False),
        ("11.1.2.3", "10.0.0.0/8", True),
        ("fd00::5", "fd00::/8", False),
        ("192.168.1.7", "192.168.1.7", False),
        ("discord.com", "no/network, ,", True),
    ],
)
def test_no_proxy_names_the_hosts_that_are_reached_directly(host: str, no_proxy: str, through: bool) -> None:
    assert through_proxy(host, no_proxy) is through


def test_the_names_in_small_letters_count_too() -> None:
    settings = Settings.from_env({"https_proxy": "proxy.example:3128", "no_proxy": "discord.com"})

    assert settings.proxy is not None
    assert settings.proxy.for_host("tts.example.com") == PROXY
    assert settings.proxy.for_host("discord.com") is None


@pytest.mark.parametrize(
    "address",
    [
        "socks5://proxy:1080",
        "http://",
        "http://a b:1",
        "http://proxy:99999",
        "ftp://proxy",
        "http://:80",
        "http://a..b:1",
        f"http://{'a' * 64}:1",
    ],
)
def test_what_is_no_http_proxy_is_refused(address: str) -> None:
    assert problem({"HTTPS_PROXY": address}).startswith("HTTPS_PROXY must be http://host:port")


def test_the_password_of_a_proxy_is_a_secret() -> None:
    settings = Settings.from_env({"HTTPS_PROXY": f"http://myna:{KEY}%40x@proxy.example:3128"})

    assert settings.proxy is not None
    assert settings.proxy.place == "proxy.example:3128"
    assert KEY not in repr(settings) + repr(settings.proxy)
    assert f"{KEY}@x" in settings.secrets
    assert KEY not in problem({"HTTPS_PROXY": f"socks5://myna:{KEY}@proxy.example"})
