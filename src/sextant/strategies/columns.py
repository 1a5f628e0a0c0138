"""Columns shared by all strategies of a scan: each is computed once and kept as long as the view."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Any, Final, Protocol, TypeVar

import numpy as np

from sextant.indicators.catalog import compute
from sextant.model.bar import Floats
from sextant.model.times import DAY_NS, INTERVAL_NS, Interval
from sextant.model.view import BarFrame, View
from sextant.strategies import rolling
from sextant.strategies.prices import CostAssumptions, Touch, touch, usd_per_quote

V = TypeVar("V")

SPENT: Final = "spent"
"""The key under which it is noted what may be let go; see :func:`spend`."""

_NOTHING_ASSUMED = CostAssumptions()


def spend(made: dict[Hashable, Any]) -> None:
    """Let go of what was read only until all strategies had spoken; whoever asks again makes it again."""
    for key in made.pop(SPENT, ()):
        made.pop(key, None)


def change(made: dict[Hashable, Any], changed: Callable[[Any], Any]) -> None:
    """Put what ``changed`` gives in the place of everything that was made of the bars of an interval."""
    for key in [key for key in made if key != SPENT]:
        state, value = made[key]
        made[key] = (state, changed(value))


class Lasting(Protocol):
    """Where columns that depend on nothing but bars are kept from view to view."""

    def of(self, view: View, interval: Interval) -> dict[Hashable, Any]:
        """What has been made of the bars of this interval, by key; empty for bars or instruments not seen before."""


class Columns:
    """Memoised column programs over a view; arrays are float64 (T, S), row -1 the last closed bar.

    Parameters
    ----------
    view
        The view; it must hold every interval that is asked for.
    assumptions
        What may be assumed where a replay holds no quotes.
    lasting
        Columns shared with other views of the same bars; None for none. Where there are, ``lasts`` is true and what no
        later view reads is let go.
    """

    def __init__(
        self,
        view: View,
        assumptions: CostAssumptions = _NOTHING_ASSUMED,
        lasting: Lasting | None = None,
    ) -> None:
        self.view = view
        self.assumptions = assumptions
        self._lasting = lasting
        self.lasts = lasting is not None
        self._kept: dict[Hashable, Any] = {}
        self._shared: dict[Interval, dict[Hashable, Any]] = {}

    def once(
        self,
        key: tuple[Any, ...],
        make: Callable[[], V],
        *,
        lasting: Interval | None = None,
        state: bytes = b"",
        spent: bool = False,
    ) -> V:
        """What ``make`` gave the first time this key was asked for.

        Parameters
        ----------
        lasting
            The interval on whose bars alone it depends: it is then shared by all views of the same bars.
        state
            A digest of what it depends on besides; it is made anew where that has changed, and the newest is kept.
        spent
            It is read only until all strategies have spoken of these bars, and may then be let go.
        """
        place = self._kept if lasting is None else self._made_of(lasting)
        known = place.get(key)
        if known is None or known[0] != state:
            known = (state, make())
            place[key] = known
            if spent:
                place.setdefault(SPENT, set()).add(key)
        kept: V = known[1]
        return kept

    def _made_of(self, interval: Interval) -> dict[Hashable, Any]:
        """What is kept of the bars of an interval, here or beyond this view."""
        if self._lasting is None:
            return self._kept
        if interval not in self._shared:
            self._shared[interval] = self._lasting.of(self.view, interval)
        return self._shared[interval]

    @cached_property
    def touch(self) -> Touch:
        """Best prices of all instruments, (S,)."""
        return touch(self.view, self.assumptions)

    def frame(self, interval: Interval) -> BarFrame:
        """The bars of an interval."""
        return self.view.bars[interval]

    def log_close(self, interval: Interval) -> Floats:
        """The natural logarithm of the close."""
        return self.once(
            ("log_close", interval), lambda: np.log(self.frame(interval).close), lasting=interval, spent=True
        )

    def log_return(self, interval: Interval) -> Floats:
        """``ln(close / previous close)``."""

        def make() -> Floats:
            c = self.log_close(interval)
            return c - rolling.lag(c, 1)

        return self.once(("log_return", interval), make, lasting=interval, spent=True)

    def volatility(self, interval: Interval, half_life: float) -> Floats:
        """Exponentially weighted root mean square of the log return, fraction per bar."""
        return self.once(
            ("volatility", interval, half_life),
            lambda: rolling.ewstd(self.log_return(interval), half_life),
            lasting=interval,
            spent=True,
        )

    def indicator(self, interval: Interval, name: str, output: str, **params: Any) -> Floats:
        """An output of an indicator on this interval."""
        key = ("indicator", interval, name, tuple(sorted(params.items())))
        return self.once(
            key, lambda: compute(name, self.frame(interval), **params), lasting=interval, spent=True
        )[output]

    def turnover(self, interval: Interval) -> Floats:
        """Traded quote units per bar.

        Notes
        -----
        The venue's quote volume; where it states none, volume times (high + low + close)/3, which is off by less
        than the bar's own range.
        """

        def make() -> Floats:
            bars = self.frame(interval)
            return rolling.turnover(bars.quote_volume, bars.volume, (bars.high, bars.low, bars.close))

        return self.once(("turnover", interval), make, lasting=interval, spent=True)

    def activity(self, interval: Interval, short: int, long: int) -> Floats:
        """Mean turnover of ``short`` rows over the geometric mean of the ``long`` rows before; see :func:`rolling.activity`."""
        return self.once(
            ("activity", interval, short, long),
            lambda: rolling.activity(self.turnover(interval), short, long),
            lasting=interval,
            spent=True,
        )

    def turnover_usd(self, interval: Interval) -> Floats:
        """Traded value per bar, USD."""

        def make() -> Floats:
            turnover, usd = self.turnover(interval), usd_per_quote(self.view, interval)
            return turnover if usd is None else turnover * usd

        return self.once(("turnover_usd", interval), make, lasting=interval, spent=True)

    def volume_24h_usd(self, interval: Interval) -> Floats:
        """Turnover of the last 24 hours on every row, USD."""
        rows = max(1, DAY_NS // INTERVAL_NS[interval])
        return self.once(
            ("volume_24h_usd", interval),
            lambda: rolling.sum_n(self.turnover_usd(interval), rows),
            lasting=interval,
            spent=True,
        )

    def aligned(self, column: Floats, longer: Interval, shorter: Interval) -> Floats:
        """A column of a longer frame seen from the rows of a shorter one.

        Notes
        -----
        Each row sees the last longer bar whose close is at or before its own close; NaN before the first. A NaN of
        the longer frame stays NaN: it is not replaced by an older value.
        """
        seen, rows = self.frame(longer), self.frame(shorter)
        closes = seen.open_ns + INTERVAL_NS[longer]
        last = np.searchsorted(closes, rows.open_ns + INTERVAL_NS[shorter], side="right") - 1
        out = np.full((rows.rows, column.shape[1]), np.nan)
        known = last >= 0
        out[known] = column[last[known]]
        return out
