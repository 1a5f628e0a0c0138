"""Markets with options whose answer is known: the fixtures of strategies.md 3.9, 3.10 and 4."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import msgspec
import numpy as np

from sextant.model.bar import BAR_FIELDS, Floats
from sextant.model.instrument import Instrument, InstrumentSpec, Right
from sextant.model.times import DAY_NS
from sextant.model.view import OPTION_FIELDS, BarFrame, OptionChain, View, bar_frame
from sextant.strategies.black import price
from support.markets import FIRST_OPEN_NS, noise, view_of
from support.options import option_spec

ROWS = 1_000
AS_OF_NS = FIRST_OPEN_NS + ROWS * DAY_NS
LEVEL = 60_000.0
NAME = "deribit:BTC-USD"
PERPETUAL = Instrument("deribit", "BTC", "USD", "perpetual")


def perpetual_spec() -> InstrumentSpec:
    return msgspec.structs.replace(
        option_spec(PERPETUAL, tick="0.5", lot="10"), contract_size=Decimal(10), funding_interval_s=3_600
    )


def daily(scale: float, rows: int = ROWS, seed: int = 77) -> BarFrame:
    """r = scale noise(77), level shifted to end at 60,000, open = previous close, wicks exp(+-0.45 scale)."""
    r = scale * noise(seed, rows)
    close = np.exp(np.cumsum(r))
    close *= LEVEL / close[-1]
    first = np.concatenate(([close[0] / math.exp(r[0])], close[:-1]))
    wick = math.exp(0.45 * scale)
    columns = {
        "open": first,
        "high": np.maximum(first, close) * wick,
        "low": np.minimum(first, close) / wick,
        "close": close,
        "volume": np.full(rows, 1e9) / close,
        "quote_volume": np.full(rows, 1e9),
    }
    open_ns = FIRST_OPEN_NS + (ROWS - rows + np.arange(rows, dtype=np.int64)) * DAY_NS
    return bar_frame("1d", open_ns, {name: column[:, None] for name, column in columns.items()})


@dataclasses.dataclass(frozen=True)
class Quoted:
    """One expiry of a made-up chain: both rights of every strike at a volatility, a point wider on either side."""

    days: float
    iv: float
    strikes: Sequence[float]
    half_width: float = 0.01
    forward: float = LEVEL
    size: float = 100.0
    open_interest: float = 100.0
    rights: Sequence[Right] = ("call", "put")
    overrides: Mapping[tuple[float, str], Mapping[str, float]] = dataclasses.field(default_factory=dict)


def chain(*expiries: Quoted, index: float = LEVEL, age_s: float = 1.0) -> OptionChain:
    """An inverse chain whose prices follow from Black's formula."""
    rows: list[tuple[InstrumentSpec, dict[str, float]]] = []
    for quoted in expiries:
        for strike in quoted.strikes:
            rows += [
                (_spec(quoted, strike, right), _facts(quoted, strike, right, index))
                for right in quoted.rights
            ]
    rows.sort(
        key=lambda row: (row[0].instrument.expiry_ns, row[0].instrument.strike, row[0].instrument.right)
    )
    names = [row[0].instrument for row in rows]
    values = np.array([[facts[name] for _, facts in rows] for name in OPTION_FIELDS])
    return OptionChain(
        NAME,
        "inverse",
        tuple(spec for spec, _ in rows),
        np.array([name.expiry_ns for name in names], dtype=np.int64),
        np.array([float(name.strike or 0) for name in names]),
        np.array([1 if name.right == "call" else -1 for name in names], dtype=np.int64),
        np.full(len(rows), AS_OF_NS - round(age_s * 1e9), dtype=np.int64),
        values,
    )


def _spec(quoted: Quoted, strike: float, right: Right) -> InstrumentSpec:
    expiry_ns = AS_OF_NS + round(quoted.days * DAY_NS)
    name = Instrument("deribit", "BTC", "USD", "option", expiry_ns, Decimal(str(strike)), right)
    return option_spec(name, tick="0.0000001")


def _facts(quoted: Quoted, strike: float, right: Right, index: float) -> dict[str, float]:
    def at(iv: float) -> float:
        side = np.array([1 if right == "call" else -1], dtype=np.int64)
        one = np.ones(1)
        value = price(one * quoted.forward, one * strike, one * iv, one * quoted.days / 365, side)
        return float(value[0]) / quoted.forward

    facts: dict[str, float] = dict.fromkeys(OPTION_FIELDS, math.nan)
    facts |= {
        "bid": at(quoted.iv - quoted.half_width),
        "ask": at(quoted.iv + quoted.half_width),
        "mark": at(quoted.iv),
        "mark_iv": quoted.iv,
        "bid_size": quoted.size,
        "ask_size": quoted.size,
        "open_interest": quoted.open_interest,
        "forward": quoted.forward,
        "index": index,
    }
    return facts | dict(quoted.overrides.get((strike, right), {}))


def market(frame: BarFrame, *chains: OptionChain) -> View:
    """The perpetual of Deribit with daily bars, and chains beside it."""
    view = view_of(frame, specs=(perpetual_spec(),))
    return dataclasses.replace(view, chains={one.name: one for one in chains})


def straddle_market(iv: float = 0.40) -> View:
    """strategies.md 3.9: flat volatility, 14 days, the strike 60,000 alone."""
    return market(daily(0.0314), chain(Quoted(14, iv, [60_000.0])))


def condor_market(iv: float = 0.62, scale: float = 0.0209) -> View:
    """strategies.md 3.10: strikes 50, 54, 66 and 70 thousand alone."""
    return market(daily(scale), chain(Quoted(14, iv, [50_000.0, 54_000.0, 66_000.0, 70_000.0])))


def with_chain(view: View, changed: OptionChain) -> View:
    return dataclasses.replace(view, chains={changed.name: changed})


def with_values(one: OptionChain, **columns: Floats) -> OptionChain:
    """The chain with some columns replaced."""
    values = one.values.copy()
    for name, column in columns.items():
        values[OPTION_FIELDS.index(name)] = column
    return dataclasses.replace(one, values=values)


def parity_market(put_bid: float = 0.0275, *, age_s: float = 1.0) -> View:
    """strategies.md 4: F = K = 60,000, the call offered at 0.0250; the future is bid at 60,000 as well."""
    rows: dict[tuple[float, str], Mapping[str, float]] = {
        (60_000.0, "call"): {"bid": 0.0240, "ask": 0.0250},
        (60_000.0, "put"): {"bid": put_bid, "ask": put_bid + 0.001},
    }
    one = chain(Quoted(14, 0.40, [60_000.0], overrides=rows), age_s=age_s)
    expiry_ns = int(one.expiry_ns[0])
    future = msgspec.structs.replace(
        perpetual_spec(),
        instrument=Instrument("deribit", "BTC", "USD", "future", expiry_ns),
        tick=Decimal("2.5"),
        funding_interval_s=None,
    )
    frame = daily(0.0314, rows=40)
    bars = {name: np.repeat(getattr(frame, name), 2, axis=1) for name in BAR_FIELDS}
    view = view_of(bar_frame("1d", frame.open_ns, bars), specs=(perpetual_spec(), future))
    bid, ask = view.quotes.bid.copy(), view.quotes.ask.copy()
    bid[1], ask[1] = 60_000.0, 60_005.0
    quotes = dataclasses.replace(view.quotes, bid=bid, ask=ask)
    return dataclasses.replace(view, quotes=quotes, chains={one.name: one})


EMITS: dict[str, Callable[[], View]] = {
    "ai_options_trade": straddle_market,
    "ai_complex_strategy": condor_market,
    "parity_violation": parity_market,
}
"""The market in which each strategy of options must speak."""

REFUSES: dict[str, tuple[Callable[[], View], str, str]] = {
    "ai_options_trade": (lambda: straddle_market(0.53), "gate_failed", "vol_ratio"),
    "ai_complex_strategy": (lambda: condor_market(0.61, 0.0314), "gate_failed", "vol_ratio"),
    "parity_violation": (lambda: parity_market(0.0260), "negative_net_edge", "min_edge_bps"),
}
"""One in which it must not, and the disposition."""
