"""The server keeps to the document that it shows."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.tts_gateway.conftest import StartServer
from tts_gateway.openapi import openapi_document
from tts_gateway.server import ServerOptions

KEY = "k" * 32
ROOT = Path(__file__).parent.parent.parent
SECONDS = 110.0


@pytest.mark.slow
async def test_the_server_keeps_to_its_own_document():
    # without our own options, one of which keeps the plugin of Schemathesis out
    arguments = ("-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:randomly", "--assert=plain")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", *arguments, "tests/tts_gateway/openapi_cases.py"),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert process.returncode == 0, said.decode()
    assert "2 passed" in said.decode()  # one for each address of the contract


async def test_the_document_names_exactly_the_contract(start: StartServer):
    caller = await start(ServerOptions(api_key=KEY))

    document = (await caller.get(f"{caller.base_url}/openapi.json")).json

    assert document == openapi_document(needs_key=True)
    assert document["openapi"].startswith("3.1.")
    assert set(document["paths"]) == {"/text-to-speech", "/voice-cloning"}
    assert document["components"]["securitySchemes"]["key"]["name"] == "Ocp-Apim-Subscription-Key"


async def test_a_server_without_a_key_documents_none(start: StartServer):
    caller = await start(ServerOptions())

    document = (await caller.get(f"{caller.base_url}/openapi.json")).json

    assert "securitySchemes" not in document["components"]
    assert "401" not in document["paths"]["/text-to-speech"]["post"]["responses"]
