import base64
from urllib.parse import quote

import pytest

from bot.settings import Secret
from bot.tts.http import KEY_HEADER, key_headers, without_key
from bot.tts.wire import error_detail
from tests.tts.conftest import KEY

SPELLINGS = {
    "plain": KEY,
    "upper case": KEY.upper(),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "url": quote(KEY, safe=""),
    "url, slashes kept": quote(KEY),
    "cut off": KEY[:12],
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_the_key_is_taken_out_of_what_a_server_says(spelling):
    said = without_key(f'invalid key "{spelling}", sorry', Secret(KEY))

    assert said in ('invalid key "***", sorry', 'invalid key "***')


@pytest.mark.parametrize("before", range(170, 200))
def test_cutting_the_text_does_not_leave_half_a_key(before):
    body = b"x" * before + b" " + KEY.encode()

    assert KEY[:4] not in error_detail(body, Secret(KEY))


def test_the_header_is_sent_as_it_is_and_shown_as_stars():
    headers = key_headers(Secret(KEY))

    assert headers[KEY_HEADER] == KEY
    assert KEY not in repr(headers)


def test_without_a_key_there_is_no_header():
    assert key_headers(None) == {}
    assert without_key("as it was", None) == "as it was"
