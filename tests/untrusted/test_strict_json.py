import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrusted import strict_json

calm = settings(deadline=None, database=None)
"""The machine may be slow, and nothing is kept on disk."""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b"[" * 20_000 + b"]" * 20_000,
        b'{"a": NaN}',
        b"[Infinity, -Infinity]",
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "\\u0062": 2}}',
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-32"),
        b'{"a": "\xff\xfe"}',
        b"\x00" * 64,
    ],
    ids=range(15),
)
def test_json_from_strangers_is_refused_with_a_value_error(body):
    with pytest.raises(ValueError):
        strict_json.parse(body)


def test_a_byte_order_mark_is_no_reason_to_refuse():
    assert strict_json.parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_a_byte_order_mark_is_refused_where_none_is_allowed():
    with pytest.raises(ValueError):
        strict_json.parse(b'\xef\xbb\xbf{"a": 1}', allow_byte_order_mark=False)


def test_a_number_too_large_is_an_infinity_only_where_that_is_allowed():
    assert strict_json.parse(b"[1e999, -1e999]", allow_overflow=True) == [float("inf"), -float("inf")]
    with pytest.raises(ValueError):
        strict_json.parse(b"[Infinity]", allow_overflow=True)


@calm
@given(st.binary())
def test_no_bytes_raise_anything_but_a_value_error(body):
    try:
        strict_json.parse(body)
    except ValueError:
        return


@calm
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_ordinary_json_comes_through_unchanged(value):
    assert strict_json.parse(json.dumps(value).encode()) == value
