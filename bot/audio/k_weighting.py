"""The K-weighting of ITU-R BS.1770-4 on 48 kHz samples, fast: a filter as matrix products.

A recursive filter needs the sample before, which is slow in Python. But over a block of samples it is linear
in the block and in the four numbers that the filter remembers, so blocks are multiplied by matrices,
and only what is remembered is carried from block to block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Sums = NDArray[np.float64]

HOP_SAMPLES: Final = 4_800
"""100 ms at 48 kHz: gating blocks are four of these long and begin at each."""

_SHELF: Final = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (-1.69065929318241, 0.73248077421585),
)
_HIGH_PASS: Final = ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))
# (numerators, denominators without the leading 1): tables 1 and 2 of the recommendation, for 48 kHz

_BLOCK: Final = 40  # samples: larger ones cost more arithmetic, smaller ones more memory
_HOPS_AT_ONCE: Final = 20
_REACH_BLOCKS: Final = 128  # 107 ms: of what came before, less than a ten-millionth is left


def hop_energies(samples: NDArray[np.int16] | NDArray[np.float32]) -> Sums:
    """Return the sum of the squares of the K-weighted ``samples`` in each 100 ms, the last one padded.

    The unit is that of the samples, squared.
    """
    hops = -(-len(samples) // HOP_SAMPLES)
    memory = np.zeros(4, np.float32)
    energies = np.empty(hops)
    step = _HOPS_AT_ONCE * HOP_SAMPLES
    for first in range(0, hops, _HOPS_AT_ONCE):
        part = samples[first * HOP_SAMPLES : first * HOP_SAMPLES + step].astype(np.float32)
        part = np.pad(part, (0, -len(part) % HOP_SAMPLES))
        filtered, memory = _filtered(part.reshape(-1, HOP_SAMPLES // _BLOCK, _BLOCK), memory)
        sums = np.einsum("hbs,hbs->hb", filtered, filtered).sum(axis=1, dtype=np.float64)
        energies[first : first + len(sums)] = sums
    return energies


class KWeighting:
    """The filter over sound that comes in parts: it remembers what came before."""

    def __init__(self) -> None:
        self._memory = np.zeros(4, np.float32)

    def energies(self, hops: Matrix) -> Sums:
        """Return the sum of the squares of each of the next ``hops``, rows of a multiple of 40 samples."""
        if not len(hops):
            return np.zeros(0)
        filtered, self._memory = _filtered(hops.reshape(len(hops), -1, _BLOCK), self._memory)
        energies: Sums = np.einsum("hbs,hbs->hb", filtered, filtered).sum(axis=1, dtype=np.float64)
        return energies


def _filtered(hops: Matrix, memory: Matrix) -> tuple[Matrix, Matrix]:
    """Return the filtered blocks of some hops, and what the filter remembers after them.

    A product for each hop, not one for all: OpenBLAS would spread that over threads, which costs more than
    it gains, most of all on a busy machine.
    """
    memories = (hops @ _INTO_MEMORY).reshape(-1, 4)  # what each block leaves behind by itself ...
    memories[0] += memory @ _CARRY[0]
    for power, carry in enumerate(_CARRY):  # ... and all before it, the reach doubling each time
        distance = 2**power
        memories[distance:] += memories[:-distance] @ carry
    before = np.concatenate([memory[None], memories[:-1]]).reshape(*hops.shape[:2], 4)
    filtered = hops @ _DIRECT
    filtered += before @ _FROM_MEMORY
    return filtered, memories[-1]


def _response(inputs: Sums, memory: Sums) -> tuple[Sums, Sums]:
    """Return (outputs, memory) of the two filters in a row, sample by sample."""
    memory = memory.copy()
    outputs = np.empty(len(inputs))
    for index, value in enumerate(inputs):
        for stage, (forward, back) in enumerate((_SHELF, _HIGH_PASS)):
            one, two = memory[2 * stage : 2 * stage + 2]
            result = forward[0] * value + one
            memory[2 * stage] = forward[1] * value - back[0] * result + two
            memory[2 * stage + 1] = forward[2] * value - back[1] * result
            value = result
        outputs[index] = value
    return outputs, memory


def _matrices() -> tuple[Sums, Sums, Sums, Sums]:
    from_input = [_response(row, np.zeros(4)) for row in np.eye(_BLOCK)]
    from_memory = [_response(np.zeros(_BLOCK), row) for row in np.eye(4)]
    direct, into_memory = (np.stack(rows) for rows in zip(*from_input, strict=True))
    out_of_memory, carry = (np.stack(rows) for rows in zip(*from_memory, strict=True))
    return direct, into_memory, out_of_memory, carry


def _powers(matrix: Sums) -> Iterator[Matrix]:
    for _ in range(_REACH_BLOCKS.bit_length() - 1):
        yield matrix.astype(np.float32)
        matrix = matrix @ matrix


_EXACT: Final = _matrices()
_DIRECT, _INTO_MEMORY, _FROM_MEMORY = (matrix.astype(np.float32) for matrix in _EXACT[:3])
_CARRY: Final = tuple(_powers(_EXACT[3]))
