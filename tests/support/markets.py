"""Markets whose answer is known: the fixtures of the strategies, as their page states them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import msgspec
import numpy as np

from sextant.model.bar import BAR_FIELDS, Floats
from sextant.model.instrument import InstrumentSpec, Kind
from sextant.model.times import DAY_NS, INTERVAL_NS, Interval
from sextant.model.view import (
    BarFrame,
    Books,
    Derivatives,
    Quotes,
    View,
    bar_frame,
    no_books,
    no_derivatives,
    no_quotes,
)
from support.views import spec

FIRST_OPEN_NS = 19_700 * DAY_NS  # 2023-12-09; a multiple of every interval
TINY = Decimal("0.00000001")


def noise(seed: int, rows: int) -> Floats:
    """Values of mean 0 and standard deviation 1 from the generator of strategies.md 0, one per row."""
    state, values = seed, np.empty(rows)
    for row in range(rows):
        total = 0.0
        for _ in range(12):
            state = (1_103_515_245 * state + 12_345) % 2**31
            total += state / 2**31
        values[row] = total - 6.0
    return values


def alternating(rows: int, first: float = 1.0) -> Floats:
    """+first, -first, +first ..."""
    return np.where(np.arange(rows) % 2 == 0, first, -first)


def autoregression(seed: int, rows: int, keep: float, scale: float) -> Floats:
    """x_t = keep x_{t-1} + scale noise_t, from 0."""
    values, x = np.empty(rows), 0.0
    for row, shock in enumerate(noise(seed, rows)):
        x = keep * x + scale * shock
        values[row] = x
    return values


def bars_of(close: Floats, quote_volume: float = 1e6) -> dict[str, Floats]:
    """Columns (T, S) around given closes: opens at the close before (100 at first), wicks of 0.2 %."""
    opens = np.vstack((np.full((1, close.shape[1]), 100.0), close[:-1]))
    turnover = np.full(close.shape, quote_volume)
    return {
        "open": opens,
        "high": np.maximum(opens, close) * 1.002,
        "low": np.minimum(opens, close) / 1.002,
        "close": close.copy(),
        "volume": turnover / close,
        "quote_volume": turnover,
    }


def closes_of(returns: Sequence[Floats] | Floats) -> Floats:
    """100 exp(cumsum r), one column per sequence of log returns."""
    closes: Floats = 100.0 * np.exp(np.cumsum(np.column_stack(list(returns)), axis=0))
    return closes


def framed(interval: Interval, columns: Mapping[str, Floats]) -> BarFrame:
    """Consecutive bars from ``FIRST_OPEN_NS`` on."""
    rows = len(columns["close"])
    open_ns = FIRST_OPEN_NS + np.arange(rows, dtype=np.int64) * INTERVAL_NS[interval]
    return bar_frame(interval, open_ns, columns)


def specs_of(count: int, kind: Kind = "spot", venue: str = "binance") -> tuple[InstrumentSpec, ...]:
    """Instruments C000, C001 ... with negligible steps and a least order of 5 USD."""
    return tuple(
        msgspec.structs.replace(spec(f"C{column:03d}", kind, venue), tick=TINY, lot=TINY)
        for column in range(count)
    )


def quoted(close: Floats, as_of_ns: int, spread_bps: float = 2.0, size: float = 1e9) -> Quotes:
    """Quotes around closes (S,), made at ``as_of_ns``."""
    half = close * spread_bps / 2e4
    sizes = np.full(close.shape, size)
    times = np.where(np.isnan(close), 0, as_of_ns).astype(np.int64)
    return Quotes(close - half, close + half, sizes, sizes.copy(), times)


def view_of(
    frame: BarFrame, specs: tuple[InstrumentSpec, ...] | None = None, quotes: Quotes | None = None
) -> View:
    """A view at the close of the last bar, quoted 2 bps wide around it."""
    size = frame.close.shape[1]
    as_of_ns = frame.last_close_ns or FIRST_OPEN_NS
    last = frame.close[-1] if frame.rows else np.full(size, np.nan)
    view = View(
        as_of_ns=as_of_ns,
        feed="replay",
        simulated=False,
        instruments=specs_of(size) if specs is None else specs,
        bars={frame.interval: frame},
        quotes=quoted(last, as_of_ns) if quotes is None else quotes,
        books=no_books(size),
        derivatives=no_derivatives(size),
        funding_history={},
        open_interest_history={},
        trades={},
    )
    return frozen(view)


def frozen(view: View) -> View:
    """The view with all of its arrays read-only."""
    for part in (view.quotes, view.books, view.derivatives):
        for column in vars(part).values():
            column.flags.writeable = False
    return view


def known_at(view: View, time_ns: int) -> View:
    """What was known of the bars at a time: those that had closed; quotes stay as they are."""
    cut = {}
    for interval, frame in view.bars.items():
        rows = int(np.count_nonzero(frame.open_ns + INTERVAL_NS[interval] <= time_ns))
        cut[interval] = bar_frame(
            interval, frame.open_ns[:rows], {name: getattr(frame, name)[:rows] for name in BAR_FIELDS}
        )
    return dataclasses.replace(view, bars=cut)


def without_bars_of(view: View, column: int) -> View:
    """The same market in which nothing is known of one instrument's bars."""
    bars = {}
    for interval, frame in view.bars.items():
        fields = {name: getattr(frame, name).copy() for name in BAR_FIELDS}
        for field in fields.values():
            field[:, column] = np.nan
        bars[interval] = bar_frame(interval, frame.open_ns, fields)
    return dataclasses.replace(view, bars=bars)


def quoted_earlier(view: View, age_s: float) -> View:
    """The same market whose quotes are ``age_s`` old."""
    event_ns = view.quotes.event_ns - round(age_s * 1e9)
    return frozen(dataclasses.replace(view, quotes=dataclasses.replace(view.quotes, event_ns=event_ns)))


def unquoted(view: View) -> View:
    """The same market of which no quote is known, as in a replay of bars."""
    return frozen(dataclasses.replace(view, quotes=no_quotes(view.size)))


def reordered(view: View, order: Sequence[int]) -> View:
    """The same market with its instruments in another order."""
    index = np.array(order, dtype=np.int64)
    bars = {
        interval: bar_frame(
            interval,
            frame.open_ns,
            {name: getattr(frame, name)[:, index] for name in BAR_FIELDS},
        )
        for interval, frame in view.bars.items()
    }
    quotes = Quotes(**{name: column[index] for name, column in vars(view.quotes).items()})
    books = Books(**{name: column[index] for name, column in vars(view.books).items()})
    facts = Derivatives(**{name: column[index] for name, column in vars(view.derivatives).items()})
    specs = tuple(view.instruments[column] for column in index)
    moved = dataclasses.replace(view, bars=bars, instruments=specs)
    return frozen(dataclasses.replace(moved, quotes=quotes, books=books, derivatives=facts))


def momentum_market() -> View:
    """strategies.md 3.1, MUST EMIT: 24 columns x 1000 rows of 4h; column 0 has just begun to rise."""
    rows = 1000
    steps = alternating(rows, 0.006)
    steps[-34:] += 0.002
    returns = [steps]
    for k in range(1, 24):
        phase = (np.arange(rows) + 10 * k) // 120
        returns.append(np.where(phase % 2 == 0, 0.003, -0.003) + 0.006 * noise(100 * (k + 1), rows))
    return view_of(framed("4h", bars_of(closes_of(returns))))


def aimless_market() -> View:
    """strategies.md 3.1, MUST NOT: one column that goes up and down by the same step."""
    return view_of(framed("4h", bars_of(closes_of([alternating(400, 0.008)]))))


def _reversion_levels() -> Floats:
    return np.column_stack([autoregression(100 * (i + 1), 700, 0.9, 0.006) for i in range(20)])


def reversion_market() -> View:
    """strategies.md 3.2, MUST EMIT: 20 columns x 700 rows of 1h; column 0 fell alone and has begun to turn."""
    x = _reversion_levels()
    x[-4:, 0] = (-0.012, -0.024, -0.034, -0.031)
    return view_of(framed("1h", bars_of(100.0 * np.exp(x))))


def broad_fall_market() -> View:
    """strategies.md 3.2, MUST NOT: all columns fell together."""
    x = _reversion_levels()
    x[-4:] = x[-5] + np.array((-0.012, -0.024, -0.034, -0.031))[:, None]
    return view_of(framed("1h", bars_of(100.0 * np.exp(x))))


def breakout_market(quote_volume: float = 4e6) -> View:
    """strategies.md 3.3, MUST EMIT (4e6) and MUST NOT (1e6): the last 1h bar closes above a tested range."""
    rows = 400
    t = np.arange(rows)
    x = 0.015 * np.sin(2 * np.pi * t / 36) + alternating(rows, 0.0015)
    columns = bars_of((100.0 * np.exp(x))[:, None])
    close = 1.003 * columns["high"][-73:-1].max()
    open_ = columns["close"][-2, 0]
    for name, value in (("open", open_), ("close", close), ("high", close * 1.0003), ("low", open_ * 0.999)):
        columns[name][-1, 0] = value
    columns["quote_volume"][-1, 0] = quote_volume
    columns["volume"][-1, 0] = quote_volume / close
    return view_of(framed("1h", columns))


EMITS: dict[str, Callable[[], View]] = {
    "ai_spot_momentum_strategy": momentum_market,
    "ai_spot_mean_reversion": reversion_market,
    "ai_spot_breakout_strategy": breakout_market,
}
"""By strategy: a market in which it must speak about column 0."""

REFUSES: dict[str, tuple[Callable[[], View], str]] = {
    "ai_spot_momentum_strategy": (aimless_market, "trend"),
    "ai_spot_mean_reversion": (broad_fall_market, "z"),
    "ai_spot_breakout_strategy": (lambda: breakout_market(1e6), "volume"),
}
"""By strategy: a market in which it must be silent about column 0, and the gate that decides."""
