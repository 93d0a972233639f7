"""The percentiles that are reported."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def percentile_99(values: Sequence[float]) -> float:
    """Return what 99 % of ``values``, of which there are two or more, do not exceed."""
    return statistics.quantiles(values, n=100)[98]


def percentile(values: Sequence[float], percent: int) -> float:
    """Return what ``percent`` % of ``values``, of which there is one at least, do not exceed.

    Never more than the largest of them, however few there are: 99 % of ten are nearly the largest.
    """
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
