"""Says which refusal a test expects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from untrusted.decoder import DecodingError, Refusal


@contextmanager
def refused(*expected: Refusal) -> Iterator[None]:
    """Fail unless the block ends in one of these refusals."""
    with pytest.raises(DecodingError) as caught:
        yield
    assert caught.value.refusal in expected
