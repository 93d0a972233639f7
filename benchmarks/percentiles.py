"""The one percentile that is reported."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def percentile_99(values: Sequence[float]) -> float:
    """Return what 99 % of ``values``, of which there are two or more, do not exceed."""
    return statistics.quantiles(values, n=100)[98]
