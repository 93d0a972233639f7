from __future__ import annotations

import pytest

from benchmarks.percentiles import percentile


@pytest.mark.parametrize("count", [1, 2, 10, 100])
def test_no_percentile_is_beyond_the_values(count):
    values = [float(number) for number in range(count)]

    assert min(values) <= percentile(values, 50) <= percentile(values, 99) <= max(values)


def test_percentiles_of_many_values():
    values = [float(number) for number in range(101)]

    assert percentile(values, 50) == pytest.approx(50)
    assert percentile(values, 99) == pytest.approx(99)
