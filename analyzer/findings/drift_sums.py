"""A number for each set of real servers: the sum of mixed numbers of (address, port), equal for equal sets.

Addresses are numbered by the endpoints of the cluster. Two different sets have one sum by chance once in 2^64.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from analyzer.snapshot import Snapshot
from analyzer.snapshot.arrow_columns import arrow, coded, integers

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.snapshot.arrow_columns import Ints, Words

Reals = tuple[tuple[str, int], ...]
ODD, UNKNOWN = -1, -2
"""Instead of how many: captured rows that have to be looked at, and expected servers without a number. Never equal."""
_M1, _M2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = (1 << 64) - 1
_SALT = secrets.randbits(64)
"""Of this process: nobody can make a bundle whose different sets have one sum. No result depends on it."""


class Sums:
    """Of expected and of captured real servers of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        listed = dict.fromkeys(one.address for service in snapshot.objects.services for one in service.endpoints)
        self._numbers = {address: number for number, address in enumerate(listed)}
        self._known: dict[Reals, tuple[int, int]] = {}

    def of(self, servers: Reals) -> tuple[int, int]:
        """How many, and their sum."""
        found = self._known.get(servers)
        if found is None:
            distinct = set(servers)
            if all(address in self._numbers and 0 <= port < 1 << 16 for address, port in distinct):
                numbers = [self._numbers[address] << 16 | port for address, port in distinct]
                found = (len(distinct), sum(map(_mixed, numbers)) & _WORD)
            else:
                found = (UNKNOWN, 0)
            self._known[servers] = found
        return found

    def captured(self, real: pd.DataFrame, starts: Ints) -> tuple[Ints, Words]:
        """The same of the rows from each start to the next; odd are weight 0 and addresses that are no endpoint's."""
        import numpy as np

        numbers = coded(arrow(real["address"]), self._numbers, -1, -1)
        ports, no_port = integers(arrow(real["port"]))
        weights, no_weight = integers(arrow(real["weight"]))
        odd = (numbers < 0) | no_port | (ports < 0) | (ports >= 1 << 16) | ((weights == 0) & ~no_weight)
        sums = np.zeros(len(real) + 1, dtype=np.uint64)
        sums[1:] = np.cumsum(_mixed_all((numbers << 16 | ports).astype(np.uint64)), dtype=np.uint64)
        odds = np.concatenate(([0], np.cumsum(odd)))
        ends = np.append(starts[1:], len(real))
        return np.where(odds[ends] != odds[starts], ODD, ends - starts), sums[ends] - sums[starts]


def _mixed(number: int) -> int:
    """splitmix64's finalizer: every bit of the number changes half of the bits."""
    number = (number ^ _SALT) & _WORD
    number = (number ^ number >> 30) * _M1 & _WORD
    number = (number ^ number >> 27) * _M2 & _WORD
    return number ^ number >> 31


def _mixed_all(numbers: Words) -> Words:
    import numpy as np

    numbers = numbers ^ np.uint64(_SALT)
    numbers = (numbers ^ numbers >> np.uint64(30)) * np.uint64(_M1)
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(_M2)
    return numbers ^ numbers >> np.uint64(31)
