from __future__ import annotations

import psutil
import pytest

from benchmarks.child import running


@pytest.mark.slow
async def test_a_program_says_hello_and_ends_with_the_block():
    async with running("benchmarks.model_tts_gateway", ["0", "0"]) as child:
        base_url = child.hello["base_url"]
        alive = psutil.pid_exists(child.pid)

    assert base_url.startswith("http://127.0.0.1:")
    assert alive
    assert not psutil.pid_exists(child.pid)


async def test_a_program_that_does_not_begin_is_an_error():
    with pytest.raises(RuntimeError, match="ended at once"):
        async with running("benchmarks.no_such_program"):
            pass
