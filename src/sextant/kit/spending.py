"""How much of a stated allowance is spent: rolling windows, and counters that drain steadily."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

_SECOND_NS: Final = 1_000_000_000


class RollingWindow:
    """Weight spent in the newest ``window_s`` seconds.

    Parameters
    ----------
    most
        Weight allowed in any window.
    window_s
        Its length.

    Notes
    -----
    Every time is monotonic nanoseconds given by the caller, so that a plan can be made on a copy.
    """

    def __init__(self, most: float, window_s: float) -> None:
        self.most = most
        self._window_ns = round(window_s * _SECOND_NS)
        self._spent: deque[tuple[int, float]] = deque()
        self._used = 0.0

    def used(self, now_ns: int) -> float:
        """Weight spent in the window that ends now."""
        while self._spent and self._spent[0][0] <= now_ns - self._window_ns:
            self._used -= self._spent.popleft()[1]
        if not self._spent:
            self._used = 0.0  # sums of fractions leave a rest
        return self._used

    def room_s(self, weight: float, now_ns: int, part: float = 1.0) -> float:
        """Seconds until ``weight`` fits into ``part`` of the allowance; 0 now, infinity never."""
        ceiling = self.most * part
        if weight > ceiling:
            return math.inf
        excess = self.used(now_ns) + weight - ceiling
        if excess <= 0:
            return 0.0
        for at_ns, spent in self._spent:
            excess -= spent
            if excess <= 1e-9:
                return max(0, at_ns + self._window_ns - now_ns) / _SECOND_NS
        return self._window_ns / _SECOND_NS

    def spend(self, weight: float, now_ns: int) -> None:
        """Count a weight as spent now."""
        self._spent.append((now_ns, weight))
        self._used += weight

    def learn_used(self, used: float, now_ns: int) -> None:
        """Believe whoever states that more was spent: others on the same address count, too."""
        unknown = used - self.used(now_ns)
        if unknown > 0:
            self.spend(unknown, now_ns)

    def copied(self) -> RollingWindow:
        """A window of its own with the same content, for planning."""
        made = RollingWindow(self.most, self._window_ns / _SECOND_NS)
        made._spent, made._used = self._spent.copy(), self._used
        return made


class DrainingCounter:
    """A counter that every call raises and time lowers steadily.

    Parameters
    ----------
    most
        What it must not exceed.
    per_s
        By how much it falls a second.
    """

    def __init__(self, most: float, per_s: float) -> None:
        self.most = most
        self._per_s = per_s
        self._level = 0.0
        self._at_ns = 0

    def used(self, now_ns: int) -> float:
        """The counter as it is now."""
        fallen = (now_ns - self._at_ns) / _SECOND_NS * self._per_s
        self._level, self._at_ns = max(0.0, self._level - fallen), now_ns
        return self._level

    def room_s(self, weight: float, now_ns: int, part: float = 1.0) -> float:
        """Seconds until ``weight`` fits into ``part`` of the allowance; 0 now, infinity never."""
        ceiling = self.most * part
        if weight > ceiling:
            return math.inf
        return max(0.0, self.used(now_ns) + weight - ceiling) / self._per_s

    def spend(self, weight: float, now_ns: int) -> None:
        """Raise the counter now."""
        self._level = self.used(now_ns) + weight

    def learn_used(self, used: float, now_ns: int) -> None:
        """Believe whoever states that the counter stands higher."""
        self._level = max(self.used(now_ns), used)

    def copied(self) -> DrainingCounter:
        """A counter of its own at the same level, for planning."""
        made = DrainingCounter(self.most, self._per_s)
        made._level, made._at_ns = self._level, self._at_ns
        return made


Spending = RollingWindow | DrainingCounter
