"""What members say is in no log: a canary goes every way, and the TTS gateway quotes it in every refusal."""

from __future__ import annotations

import html
import json
import logging
from collections.abc import Iterator
from io import StringIO
from urllib.parse import quote

import pytest

from bot import logs
from bot.tts.wire import without_words_of
from rehearsal.cdn import SentFile
from rehearsal.faulty_tts_gateway.faults import Respond
from tests.cogs.sounds import LOW, recording
from tests.scenes import DEADLINE, Scene, file_of, words_of
from tests.test_logs import LOGGERS

CANARY = "Zeisig7351"
TEXT = f"Grüße vom {CANARY}, 你好世界!"
SENT = json.dumps({"text": f"(whispering){TEXT}", "cfg_value": 2.0}).encode()
DRESSES = {
    "as it is": TEXT,
    "cut off": TEXT[: TEXT.index("7351")],
    "its end": TEXT[TEXT.index("sig7351") :],
    "in capitals": TEXT.upper(),
    "as JSON": json.dumps(TEXT),
    "as JSON in JSON": json.dumps(json.dumps(TEXT)),
    "as Python": ascii(TEXT),
    "in an address": quote(TEXT),
    "as HTML": TEXT.encode("ascii", "xmlcharrefreplace").decode(),
    "escaped for HTML": html.escape(TEXT),
    "inside another word": f"x{CANARY}x",
    "on lines": "\n".join(TEXT.split()),
    "a part of it in Chinese": "好世",
}
SOUND = SentFile(f"{CANARY}.wav", recording("wav", LOW))
LEAKS = ("zeisig", "7351", "grüße", "gr\\u00fc", "你", "好", "世界", "\\u4f60", "%e4%bd%a0")


@pytest.fixture(params=["debug", "info"])
def logged(request: pytest.FixtureRequest) -> Iterator[StringIO]:
    """What is logged at a level that an operator can set; afterwards everything is as it was."""
    root, stream = logging.getLogger(), StringIO()
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in LOGGERS}
    logs.set_up(request.param, stream=stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def assert_silent(log: str) -> None:
    assert [line for line in log.splitlines() if any(leak in line.lower() for leak in LEAKS)] == []


async def _refused(scene: Scene, status: int) -> None:
    said = f"status {status} {TEXT}"
    quoted = " | ".join([f"cannot say {said}", *DRESSES.values()])
    scene.faults.on_post(Respond(status, {"detail": quoted}))
    await words_of(await scene.speak(said, style=f"like a {CANARY}", output="here"))


@pytest.mark.parametrize("dress", DRESSES)
def test_what_a_refusal_quotes_is_taken_out_of_it(dress: str):
    detail = without_words_of(SENT, f"Cannot say {DRESSES[dress]} [code 12]")

    assert_silent(detail)
    assert detail.startswith("Cannot say ")
    assert detail.endswith(" [code 12]")


def test_a_refusal_that_quotes_nothing_stays_as_it_is():
    detail = "Rate limit is exceeded. Try again in 26 seconds."

    assert without_words_of(SENT, detail) == detail
    assert without_words_of(b"", TEXT) == TEXT


@pytest.mark.slow
async def test_nothing_that_a_member_says_is_in_the_log(scene: Scene, logged: StringIO):
    for status in (422, 400, 500):
        await _refused(scene, status)
    await file_of(await scene.speak(TEXT))

    await words_of(await scene.speak(f"Robin: {TEXT}", voice=CANARY))
    dialogue = f"Warm: hello / {CANARY}: {TEXT} / Warm: yes"
    assert "no voice called" in await words_of(await scene.speak(dialogue))
    await scene.let_clone(scene.alice)
    await words_of(
        await scene.alice.slash(
            scene.general, "voice save", name=CANARY, recording=SOUND, transcript=f"{TEXT} again"
        )
    )
    for name in (f"**{CANARY}", f"{CANARY} two"):
        form = await scene.alice.slash(scene.general, "voice edit", name=CANARY)
        await form.until(lambda shown: shown.modal is not None, timeout=DEADLINE)
        await words_of(await scene.alice.submit(form, {"Name": name}))
    await file_of(
        await scene.alice.slash(scene.general, "speak", text=f"{TEXT} once more", voice=f"{CANARY} two")
    )

    await _refused(scene, 403)  # after it nothing is asked for a while

    assert "MemberError" in logged.getvalue()
    assert "TTSRejectedError: status 422: " in logged.getvalue()
    assert_silent(logged.getvalue())
