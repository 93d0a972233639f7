"""Schemathesis reads our OpenAPI document and tries everything it allows, and what it does not.

`test_openapi.py` runs this in a process of its own: its plugin for pytest is slow to import and to collect.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import hypothesis
import jsonschema_rs
import pytest
import requests
import schemathesis
from schemathesis.specs.openapi.checks import unsupported_method

from tests.fakes.tone_engine import ToneEngine
from tests.fakes.tts_gateway_caller import DEADLINE
from tts_gateway.openapi import openapi_document
from tts_gateway.server import ServerOptions, create_app, serving

KEY_HEADER = "Ocp-Apim-Subscription-Key"
KEY = "k" * 32
DOCUMENT = openapi_document(needs_key=True)
CLONING = DOCUMENT["paths"]["/voice-cloning"]["post"]["requestBody"]["content"]["application/json"]["schema"]
ADDRESS = jsonschema_rs.validator_for(CLONING["properties"]["reference_audio_url"], validate_formats=True)


@contextmanager
def live_server(options: ServerOptions) -> Iterator[str]:
    """Serve in a thread of its own, as the client below blocks; the block gets the base address."""
    address: Future[str] = Future()
    ended: list[Any] = []

    async def serve() -> None:
        end = asyncio.Event()
        ended.extend([asyncio.get_running_loop(), end])
        async with serving(create_app(ToneEngine(), options=options)) as base_url:
            address.set_result(base_url)
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield address.result(DEADLINE)
    finally:
        loop, end = ended
        loop.call_soon_threadsafe(end.set)
        thread.join(DEADLINE)


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with live_server(ServerOptions(api_key=KEY, max_body_bytes=256 * 1024)) as url:
        yield url


@pytest.fixture(scope="module")
def reference(base_url: str) -> str:
    """The address of a recording that can be fetched without a network."""
    answer = requests.post(
        f"{base_url}/text-to-speech", json={"text": "Hello"}, headers={KEY_HEADER: KEY}, timeout=DEADLINE
    )
    return str(answer.json()["output"])


schema = schemathesis.openapi.from_dict(DOCUMENT)


@schema.parametrize()
@hypothesis.settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_the_server_keeps_to_its_own_document(case: schemathesis.Case, base_url: str, reference: str):
    _make_reachable(case, reference)

    case.call_and_validate(
        base_url=base_url,
        headers={KEY_HEADER: KEY},
        timeout=DEADLINE,
        excluded_checks=[unsupported_method],  # it wants 405; the contract says 404 for a wrong verb
    )


def _make_reachable(case: schemathesis.Case, reference: str) -> None:
    """Put a recording that exists where any valid address would be: no test goes to the network."""
    body = case.body
    if isinstance(body, dict) and ADDRESS.is_valid(body.get("reference_audio_url")):
        body["reference_audio_url"] = reference
