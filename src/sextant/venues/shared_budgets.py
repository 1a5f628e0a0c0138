"""Budgets of venues that several processes behind one address spend together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from sextant.errors import StoreAway
from sextant.kit.clock import Clock
from sextant.kit.shared_limits import Allowance, SharedLimits
from sextant.kit.spending import DrainingCounter, RollingWindow, Spending

_SECOND_NS: Final = 1_000_000_000


class Want(msgspec.Struct, frozen=True):
    """What a call weighs in one budget.

    Parameters
    ----------
    name
        Of the budget and whoever is counted.
    weight, most, part
        Of the call; what all processes may spend together; the share of it that calls of this priority may fill.
    window_s, draining
        As :class:`sextant.venues.broker.Limit` states them.
    """

    name: str
    weight: float
    most: float
    part: float
    window_s: float
    draining: bool


class SharedBudgets:
    """Spends budgets of venues together with other processes; alone within its own share while that cannot be.

    Parameters
    ----------
    limits
        Where all of them count.
    clock
        Of what this process spent itself.
    processes
        How many there are.
    """

    def __init__(self, limits: SharedLimits, clock: Clock, processes: int) -> None:
        self._limits = limits
        self._clock = clock
        self._processes = processes
        self._own: dict[str, Spending] = {}
        self._unknown_ns = 0

    async def spend(self, wants: Sequence[Want]) -> float:
        """0 once everything was spent; else seconds until it may fit, and nothing was."""
        wait_s = self._alone_s(wants) if self._unknown() else await self._together_s(wants)
        if wait_s <= 0:
            now_ns = self._clock.monotonic_ns()
            for want in wants:
                self._spent(want).spend(want.weight, now_ns)
        return wait_s

    async def _together_s(self, wants: Sequence[Want]) -> float:
        now_ns = self._clock.monotonic_ns()
        allowances = [
            Allowance(
                name=f"venue|{want.name}",
                weight=want.weight,
                ceiling=want.most * want.part,
                window_s=want.window_s,
                own=self._spent(want).used(now_ns),
                drain_per_s=want.most / want.window_s if want.draining else 0.0,
            )
            for want in wants
        ]
        try:
            spent = await self._limits.spend(allowances)
        except StoreAway:
            return self._alone_s(wants)
        if spent.lost:
            self._unknown_ns = now_ns + round(max(want.window_s for want in wants) * _SECOND_NS)
            return self._alone_s(wants)
        return spent.wait_s

    def _alone_s(self, wants: Sequence[Want]) -> float:
        """Seconds until what is wanted fits into this process's own share."""
        now_ns = self._clock.monotonic_ns()
        parts = [want.part / self._processes for want in wants]
        return max(
            self._spent(want).room_s(want.weight, now_ns, part)
            for want, part in zip(wants, parts, strict=True)
        )

    def _unknown(self) -> bool:
        """Whether what others have spent is unknown: the store forgot it less than a window ago."""
        return self._clock.monotonic_ns() < self._unknown_ns

    def _spent(self, want: Want) -> Spending:
        own = self._own.get(want.name)
        if own is None:
            made: Spending = RollingWindow(want.most, want.window_s)
            if want.draining:
                made = DrainingCounter(want.most, want.most / want.window_s)
            own = self._own[want.name] = made
        own.most = want.most
        return own
