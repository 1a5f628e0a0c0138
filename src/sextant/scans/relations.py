"""How each instrument follows the leader of the market: beta, correlation and lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.confluence.market_wide import (
    LEAD_ROWS,
    NO_LEAD,
    Following,
    following,
    leads_of,
)
from sextant.model.bar import Floats, Integers
from sextant.model.instrument import Instrument, is_dollar
from sextant.model.times import SECOND_NS, Interval
from sextant.model.view import View

LEADING_ASSET: Final = "BTC"
SPANS: Final[Mapping[Interval, int]] = {"1m": LEAD_ROWS, "5m": 288, "30m": 336, "4h": 180}
"""Over how many rows of each frame an instrument is compared with the leader."""
HELD_NS: Final = 3 * 3_600 * SECOND_NS
"""So long a lead must have stood before it is told."""
BROKEN_NS: Final = 150 * SECOND_NS
"""After so long without a look nothing is known of what stood."""


@dataclass(frozen=True, eq=False)
class Relations:
    """How the instruments of a view follow its leader, in their order.

    Parameters
    ----------
    leader
        Column of the leader, None where it is not followed.
    following
        By frame; empty without a leader.
    lead_minutes
        int64 (S,): by how many minutes the leader has gone ahead for three hours, ``NO_LEAD`` where nothing is clear.
    """

    leader: int | None
    following: Mapping[Interval, Following]
    lead_minutes: Integers


class LeadWatch:
    """How long the lead of the leader over each instrument has stood within a minute of itself."""

    def __init__(self) -> None:
        self._seen_ns = 0
        self._standing: dict[Instrument, tuple[int, int, int]] = {}

    def update(self, instruments: Sequence[Instrument], found: Integers, now_ns: int) -> Integers:
        """The leads (S,) that have stood for three hours; ``NO_LEAD`` for all others.

        Parameters
        ----------
        instruments, found
            What was found now, and of which.
        now_ns
            Time of it; a break of two and a half minutes begins all of them anew.
        """
        before = {} if now_ns - self._seen_ns > BROKEN_NS else self._standing
        self._seen_ns, self._standing = now_ns, {}
        told = np.full(len(found), NO_LEAD, dtype=np.int64)
        for column in np.flatnonzero(found != NO_LEAD).tolist():
            name, minutes = instruments[column], int(found[column])
            since_ns, low, high = before.get(name, (now_ns, minutes, minutes))
            low, high = min(low, minutes), max(high, minutes)
            if high - low > 1:
                since_ns, low, high = now_ns, minutes, minutes
            self._standing[name] = since_ns, low, high
            if now_ns - since_ns >= HELD_NS:
                told[column] = minutes
        return told


class Relating:
    """Compares instruments with the leader whenever a bar has closed, and remembers the leads of before."""

    def __init__(self) -> None:
        self._leads = LeadWatch()
        self._key: tuple[object, ...] = ()
        self._newest: Relations | None = None

    def update(self, view: View) -> Relations:
        """What is so in a view; the same as before where no bar has closed since."""
        digests = (view.bars[interval].content_digest for interval in SPANS if interval in view.bars)
        key = (view.instruments, *digests)
        if self._newest is None or key != self._key:
            self._key, self._newest = key, self._related(view)
        return self._newest

    def _related(self, view: View) -> Relations:
        leader = leader_of(view)
        if leader is None:
            return Relations(None, {}, np.full(view.size, NO_LEAD, dtype=np.int64))
        moved = {interval: returns_of(view, interval, rows) for interval, rows in SPANS.items()}
        names = view.names
        led = self._leads.update(names, leads_of(moved["1m"], leader), view.as_of_ns)
        return Relations(leader, {name: following(rows, leader) for name, rows in moved.items()}, led)


def leader_of(view: View) -> int | None:
    """The column of the instrument that the others are compared with: bitcoin, a perpetual first, dollars first, linear first."""
    ranked = sorted(
        (
            spec.instrument.kind != "perpetual",
            not is_dollar(spec.instrument.quote),
            spec.style != "linear",
            at,
        )
        for at, spec in enumerate(view.instruments)
        if spec.instrument.base == LEADING_ASSET and spec.instrument.kind in ("perpetual", "spot")
    )
    return ranked[0][-1] if ranked else None


def returns_of(view: View, interval: Interval, rows: int) -> Floats:
    """The newest returns of a frame, float64 (rows, S), oldest first; NaN where a close is unknown or was never there."""
    out = np.full((rows, view.size), np.nan)
    bars = view.bars.get(interval)
    if bars is not None and bars.rows > 1:
        close = bars.close[-1 - rows :]
        out[rows + 1 - len(close) :] = close[1:] / close[:-1] - 1.0
    return out
