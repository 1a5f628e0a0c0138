"""Histories of single instruments, seen from the rows of a frame; float64 (T, S), NaN where nothing is known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, Literal, TypeVar

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.instrument import Instrument
from sextant.model.times import DAY_NS, INTERVAL_NS, SECOND_NS, Interval
from sextant.model.view import LiquidationTape, Series
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.prices import usd_now

H = TypeVar("H", Series, LiquidationTape)

HistoryName = Literal["funding_history", "open_interest_history", "liquidations"]

_DIGEST_BYTES: Final = 16

SETTLED_AGE_NS: Final = DAY_NS
"""No perpetual settles more seldom: an older last settlement means that the history has ended."""


def state_of(columns: Columns, *names: HistoryName) -> bytes:
    """16 bytes that stand for every point of some histories of the view, of instruments that are in it or not."""

    def make() -> bytes:
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        for name in names:
            histories: Mapping[Instrument, Series | LiquidationTape] = getattr(columns.view, name)
            for instrument, history in histories.items():
                digest.update(f"{name}:{instrument}".encode() + history.digest)
        return digest.digest()

    return columns.once(("state", *names), make)


def open_interest(columns: Columns, interval: Interval, greatest_age_s: float) -> Floats:
    """Open interest at the close of each row, base units: the newest point that is not older than the greatest age."""

    def make() -> Floats:
        frame, view = columns.frame(interval), columns.view
        closes_ns = frame.open_ns + INTERVAL_NS[interval]
        out = np.full(frame.close.shape, np.nan)
        greatest_ns = round(greatest_age_s * SECOND_NS)
        for column, history in _by_column(columns, view.open_interest_history):
            out[:, column] = newest(history.time_ns, history.value, closes_ns, greatest_ns)
        return out

    state = state_of(columns, "open_interest_history")
    return columns.once(
        ("open_interest", interval, greatest_age_s), make, lasting=interval, state=state, spent=True
    )


def forced_share(columns: Columns, interval: Interval, rows: int, usual_rows: int) -> tuple[Floats, Floats]:
    """How many times their usual value were liquidated in the last ``rows`` rows: of longs, and of shorts.

    Parameters
    ----------
    usual_rows
        Rows before them whose mean is the usual; NaN until they have been seen since the first known liquidation.

    Notes
    -----
    A usual value under 1 USD counts as 1, so that nothing after nothing is 0. Where no liquidation of an instrument
    is known both are NaN: a venue may publish none.
    """

    def make() -> tuple[Floats, Floats]:
        frame, view = columns.frame(interval), columns.view
        known = [(column, tape) for column, tape in _by_column(columns, view.liquidations)]
        out = tuple(np.full(frame.close.shape, np.nan) for _ in range(2))
        if not (known and frame.rows):
            return out[0], out[1]
        places = [column for column, _ in known]
        usd = usd_now(view)
        for side, spread in zip((1.0, -1.0), out, strict=True):
            value = np.full((frame.rows, len(known)), np.nan)
            for place, (column, tape) in enumerate(known):
                row = np.searchsorted(frame.open_ns, tape.event_ns, side="right") - 1
                begun = max(int(row[0]) + 1, 0)
                value[begun:, place] = 0.0
                closed = tape.event_ns < frame.open_ns[-1] + INTERVAL_NS[interval]
                mine = closed & (tape.side == side) & (row >= begun)
                traded = tape.price * tape.size * usd[column]
                np.add.at(value[:, place], row[mine], traded[mine])
            usual = np.maximum(rolling.prior(rolling.mean_n, value, usual_rows, rows) * rows, 1.0)
            spread[:, places] = rolling.sum_n(value, rows) / usual
        return out[0], out[1]

    return columns.once(("forced_share", interval, rows, usual_rows), make)


def settled_rank(columns: Columns, interval: Interval, settlements: int, at_least: int) -> Floats:
    """Where the last settled funding rate stands among the last ``settlements`` of its instrument, in [0, 1].

    Parameters
    ----------
    at_least
        Settlements needed.
    """

    def make() -> Floats:
        frame = columns.frame(interval)
        out = np.full(frame.close.shape, np.nan)
        known = _by_column(columns, columns.view.funding_history)
        if not (known and frame.rows):
            return out
        closes_ns = frame.open_ns + INTERVAL_NS[interval]
        # Settlements that no row looks back to are left out; the others stand in one block, the last in its last row.
        first = [
            max(int(np.searchsorted(series.time_ns, closes_ns[0], side="right")) - settlements, 0)
            for _, series in known
        ]
        longest = max(len(series.time_ns) - begin for begin, (_, series) in zip(first, known, strict=True))
        block = np.full((longest, len(known)), np.nan)
        for place, (begin, (_, series)) in enumerate(zip(first, known, strict=True)):
            kept = series.value[begin:]
            block[longest - len(kept) :, place] = kept
        ranks = rolling.rank_frac(block, settlements, at_least)
        for place, (begin, (column, series)) in enumerate(zip(first, known, strict=True)):
            times_ns = series.time_ns[begin:]
            mine = ranks[longest - len(times_ns) :, place]
            out[:, column] = newest(times_ns, mine, closes_ns, SETTLED_AGE_NS)
        return out

    state = state_of(columns, "funding_history")
    return columns.once(
        ("settled_rank", interval, settlements, at_least), make, lasting=interval, state=state, spent=True
    )


def newest(times_ns: Integers, values: Floats, at_ns: Integers, greatest_age_ns: int) -> Floats:
    """The value of the newest point at or before each of ``at_ns``; NaN where there is none, or an older one only.

    Parameters
    ----------
    times_ns, at_ns
        int64, rising.

    Examples
    --------
    >>> newest(np.array([10, 20]), np.array([1.0, 2.0]), np.array([9, 10, 19, 40]), 15).tolist()
    [nan, 1.0, 1.0, nan]
    """
    out = np.full(len(at_ns), np.nan)
    _newest((times_ns, at_ns), np.ascontiguousarray(values), greatest_age_ns, out)
    return out


@rolling.compiled
def _newest(times: tuple[Integers, Integers], values: Floats, greatest_age_ns: int, out: Floats) -> None:
    # Both times rise, so one walk along them is enough.
    known, asked = times
    seen = -1
    for row in range(len(asked)):
        while seen + 1 < len(known) and known[seen + 1] <= asked[row]:
            seen += 1
        if seen >= 0 and asked[row] - known[seen] <= greatest_age_ns:
            out[row] = values[seen]


def _by_column(columns: Columns, histories: Mapping[Instrument, H]) -> list[tuple[int, H]]:
    """Columns of the view that have a history with a point, in their order."""
    placed = columns.view.column_of
    found: list[tuple[int, H]] = [
        (placed[instrument], series) for instrument, series in histories.items() if instrument in placed
    ]
    return sorted(found, key=lambda item: item[0])
