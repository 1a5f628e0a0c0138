"""Bars of one instrument before they are final, and what is added when they become so."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from sextant.market.counters import Counters
from sextant.market.flow import Flow
from sextant.market.freshness import CADENCE, CADENCE_NS, NEWEST, Pulse
from sextant.model.bar import Bar
from sextant.model.events import BarUpdate
from sextant.model.times import INTERVAL_NS, INTERVALS, Interval

UNRECONCILED_SHARE: Final = 0.005
"""Share of a bar's volume that may be missing from its trades: confluence.md 6, trades_unreconciled."""


class FormingBars:
    """The newest bar of each interval that may still change.

    Parameters
    ----------
    flow
        The trades of the instrument.
    pulse
        The age of its bars.
    counters
        Where outcomes are counted.
    """

    __slots__ = ("_bars", "_counters", "_flow", "_pulse")

    def __init__(self, flow: Flow, pulse: Pulse, counters: Counters) -> None:
        self._flow = flow
        self._pulse = pulse
        self._counters = counters
        self._bars: dict[Interval, Bar] = {}

    def bar(self, interval: Interval) -> Bar | None:
        """The forming bar of an interval; None where none is known."""
        return self._bars.get(interval)

    def note(self, interval: Interval, event_ns: int, receive_ns: int) -> None:
        """Note that bars came; the smallest interval that ever came sets their cadence."""
        ints = self._pulse.cells.ints
        cadence = max(INTERVAL_NS[interval], CADENCE_NS["bars"])
        ints[CADENCE] = min(ints[CADENCE], cadence) if ints[NEWEST] else cadence
        self._pulse.beat(event_ns, receive_ns)

    def take(self, event: BarUpdate, newest_open_ns: int) -> None:
        """Take a bar that may still change, unless a later one, or the final one of ``newest_open_ns``, is known."""
        held = self._bars.get(event.interval)
        open_ns = event.bar.open_ns
        if open_ns <= newest_open_ns or (held is not None and open_ns < held.open_ns):
            self._counters.add("bars_forming_old")
            return
        self._bars[event.interval] = event.bar
        self._counters.add("bars_forming")

    def settle(self, interval: Interval, open_ns: int) -> None:
        """Forget the forming bar that a final one of ``open_ns`` or later ends."""
        held = self._bars.get(interval)
        if held is not None and held.open_ns <= open_ns:
            del self._bars[interval]

    def with_takers(self, event: BarUpdate) -> BarUpdate:
        """A final 1m bar with its taker buy volume from the trades seen, where the venue does not state one.

        Notes
        -----
        Only if what takers bought and sold adds up to the bar's volume within 0.5 %: trades have no
        gapless number, so a loss shows only there. Otherwise the taker volume stays unknown.
        """
        bar = event.bar
        if event.interval != "1m" or not math.isnan(bar.taker_buy_volume):
            return event
        taken = self._flow.minute(bar.open_ns)
        if taken is None:
            if bar.volume:
                return event
            buy = 0.0  # nobody can have bought in a minute without trades
        elif abs(taken.buy + taken.sell - bar.volume) > UNRECONCILED_SHARE * bar.volume:
            self._counters.add("bars_unreconciled")
            return event
        else:
            buy = min(taken.buy, bar.volume)
        self._counters.add("bars_takers_added")
        full = msgspec.structs.replace(bar, taker_buy_volume=buy)
        return msgspec.structs.replace(event, bar=full)

    def content(self) -> tuple[object, ...]:
        """Everything known, in canonical order, for hashing."""
        return tuple((interval, self._bars[interval]) for interval in INTERVALS if interval in self._bars)

    def restore(self, content: Any) -> None:
        """Become the bars whose :meth:`content` it was."""
        self._bars = dict(msgspec.convert(content, list[tuple[Interval, Bar]]))
