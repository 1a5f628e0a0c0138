"""A whole day of the simulated market: what a server would know at any of its minutes, made from the model without a socket."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from sextant.market.state import MarketState
from sextant.model.bar import BAR_FIELDS, Floats
from sextant.model.times import DAY_NS, INTERVAL_NS, MINUTE_NS, SECOND_NS, Interval
from sextant.model.view import (
    BarFrame,
    Books,
    OptionChain,
    Quotes,
    Series,
    TradeTape,
    View,
    bar_frame,
    no_derivatives,
)
from sextant.sim.deribit_market import DerivativesModel
from sextant.sim.market_model import MarketModel
from sextant.sim.tape import Tape
from sextant.sim.universe import Listing
from support.markets import frozen
from support.simulated import facts_of, settled_of, spec_of
from support.simulated_options import told

KEPT: Final[dict[Interval, int]] = {"1m": 1_440, "5m": 500, "1h": 760, "4h": 1_000, "1d": 640}
LEVELS: Final = 10
TAKERS: Final = 600
TAKEN_S: Final = 900.0
INTEREST_POINTS: Final = 2_016
MS_NS: Final = 1_000_000


class SimulatedDay:
    """One day of some listings.

    Parameters
    ----------
    model, listed
        The market, and what of it is looked at.
    day
        Days since 1970.
    quiet
        Symbols of calm instruments with a wide book, whose takers come from both sides and pay for it; see :func:`takers`.
        The trades of others are not looked at: those of the simulated venue follow its price and know no spread, so that
        whoever quoted would lose to each of them.
    """

    def __init__(
        self, model: MarketModel, listed: Sequence[Listing], day: int, quiet: Sequence[str] = ()
    ) -> None:
        # Each view tells two hundred settlements of each listing, nearly all of them those of the view before.
        model.funding_rate = functools.cache(model.funding_rate)  # type: ignore[method-assign]
        self._model, self._listed, self._day = model, tuple(listed), day
        self._specs = tuple(spec_of(listing) for listing in listed)
        self._quiet = frozenset(quiet)
        self._tapes = [Tape(model, listing, 1.0) for listing in listed]
        self._frames = {interval: self._whole(interval, rows) for interval, rows in KEPT.items()}
        self._chains: tuple[int, dict[str, OptionChain]] = (-1, {})

    def _whole(self, interval: Interval, rows: int) -> BarFrame:
        """The bars kept when the day begins, and all that close in it."""
        minutes = INTERVAL_NS[interval] // MINUTE_NS
        first = self._day * DAY_NS // INTERVAL_NS[interval] - rows
        count = rows + DAY_NS // INTERVAL_NS[interval]
        bars = [self._model.bars(listing, minutes, first, count) for listing in self._listed]
        pairs = list(zip(bars, self._listed, strict=True))
        columns = {
            name: np.column_stack([getattr(bar, name) * one.tick for bar, one in pairs])
            for name in ("open", "high", "low", "close")
        }
        columns["volume"] = np.column_stack([bar.lots * one.lot for bar, one in pairs])
        columns["quote_volume"] = np.column_stack([bar.turnover for bar in bars])
        # Takers buy the larger part of a bar that rises: what a venue states, and the model does not draw.
        reach = np.maximum(columns["high"] - columns["low"], 1e-12)
        columns["taker_buy_volume"] = columns["volume"] * (
            0.5 + 0.25 * (columns["close"] - columns["open"]) / reach
        )
        open_ns = (first + np.arange(count, dtype=np.int64)) * INTERVAL_NS[interval]
        return bar_frame(interval, open_ns, columns)

    def view(self, minute: int, *, chains: bool = False) -> View:
        """The market as known at a minute of the day.

        Parameters
        ----------
        chains
            With options, as told by their venue then.
        """
        now_ns = self._day * DAY_NS + minute * MINUTE_NS
        size = len(self._listed)
        books = [tape.current(now_ns // MS_NS, LEVELS).view(LEVELS) for tape in self._tapes]
        sides = {
            f"{side}_{name}": np.array(
                [
                    [level[place] * getattr(one, step) for level in book[number]]
                    for book, one in zip(books, self._listed, strict=True)
                ]
            )
            for number, side in enumerate(("bid", "ask"))
            for place, (name, step) in enumerate((("price", "tick"), ("size", "lot")))
        }
        seen = np.full(size, now_ns - SECOND_NS // 2)
        touch = {name: column[:, 0].copy() for name, column in sides.items()}
        facts = dataclasses.replace(no_derivatives(size), **self._facts(now_ns))
        view = View(
            as_of_ns=now_ns,
            feed="demo",
            simulated=True,
            instruments=self._specs,
            bars={interval: self._closed(interval, now_ns) for interval in KEPT},
            quotes=Quotes(touch["bid_price"], touch["ask_price"], touch["bid_size"], touch["ask_size"], seen),
            books=Books(**sides, valid=np.ones(size, dtype=np.bool_), event_ns=seen.copy()),
            derivatives=facts,
            funding_history={
                spec.instrument: settled_of(self._model, listing, now_ns)
                for spec, listing in zip(self._specs, self._listed, strict=True)
                if listing.funding_minutes
            },
            open_interest_history=self._interest(now_ns),
            trades=self._trades(now_ns),
        )
        return frozen(dataclasses.replace(view, chains=self._options(now_ns) if chains else {}))

    def _closed(self, interval: Interval, now_ns: int) -> BarFrame:
        frame, rows = self._frames[interval], KEPT[interval]
        last = int(np.searchsorted(frame.open_ns + INTERVAL_NS[interval], now_ns, side="right"))
        kept = slice(last - rows, last)
        digest = len(frame.row_digests) // frame.rows
        return BarFrame(
            interval,
            frame.open_ns[kept],
            **{name: getattr(frame, name)[kept] for name in BAR_FIELDS},
            row_digests=frame.row_digests[kept.start * digest : kept.stop * digest],
        )

    def _facts(self, now_ns: int) -> dict[str, Any]:
        day = now_ns / DAY_NS
        last = self._closed("1m", now_ns).close[-1]
        basis = np.array([self._model.basis(listing, day) for listing in self._listed])
        pays = np.array([listing.funding_minutes > 0 for listing in self._listed])
        index: Floats = np.where(pays, last / (1.0 + basis), np.nan)
        return {
            **facts_of(self._model, self._listed, now_ns),
            "mark": np.where(pays, last, np.nan),
            "index": index,
        }

    def _interest(self, now_ns: int) -> dict[Any, Series]:
        step = 5 * MINUTE_NS
        fives = now_ns // step - np.arange(INTEREST_POINTS - 1, -1, -1, dtype=np.int64)
        return {
            spec.instrument: Series(fives * step, self._model.open_interest(listing, fives))
            for spec, listing in zip(self._specs, self._listed, strict=True)
            if listing.funding_minutes
        }

    def _trades(self, now_ns: int) -> dict[Any, TradeTape]:
        closed = self._closed("1m", now_ns).close
        return {
            spec.instrument: takers(listing, closed[:, column], now_ns)
            for column, (spec, listing) in enumerate(zip(self._specs, self._listed, strict=True))
            if listing.symbol in self._quiet
        }

    def _options(self, now_ns: int) -> dict[str, OptionChain]:
        state = MarketState("demo", simulated=True)
        for event in told(DerivativesModel(self._model, 1.0), now_ns):
            state.apply(event)
        return dict(state.view(now_ns).chains)


def takers(listing: Listing, closes: Floats, now_ns: int) -> TradeTape:
    """A quarter of an hour of takers of either side around the path of the closes, one in five of them twice as deep.

    Parameters
    ----------
    closes
        float64 (T,): of the last minutes; the last one is now.
    """
    rng = np.random.default_rng(now_ns // MINUTE_NS)
    back_s = np.sort(rng.uniform(1.0, TAKEN_S, TAKERS))[::-1]
    minutes = np.arange(len(closes))
    mid = np.interp(minutes[-1] - back_s / 60.0, minutes, closes)
    side = np.where(rng.random(TAKERS) < 0.5, 1.0, -1.0)
    depth = np.where(rng.random(TAKERS) < 0.2, 2.0, 1.0) * listing.spread_ticks / 2.0 * listing.tick
    lots = listing.turnover / listing.price / DAY_NS * TAKEN_S * SECOND_NS / TAKERS / listing.lot
    return TradeTape(
        now_ns - (back_s * SECOND_NS).astype(np.int64),
        mid + side * depth,
        np.ceil(lots * rng.uniform(0.5, 1.5, TAKERS)) * listing.lot,
        side,
    )
