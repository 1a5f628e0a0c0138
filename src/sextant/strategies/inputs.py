"""What a strategy needs of each instrument, and the first of it that is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np

from sextant.model.bar import Floats
from sextant.model.instrument import Instrument
from sextant.model.times import MILLISECOND_NS, SECOND_NS, Interval
from sextant.model.view import Flags, Series
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Need
from sextant.strategies.dispositions import Lack

Missing: TypeAlias = Lack | None
"""Which input an instrument lacks, what it has, what it needs, unit of both; None when nothing is missing."""


def missing_inputs(
    columns: Columns, needs: tuple[Need, ...], asked: Flags | None = None
) -> tuple[Missing, ...]:
    """Per instrument the first required need that is not met on the last row, or None.

    Parameters
    ----------
    asked
        bool (S,): instruments that the strategy may speak about; the others lack nothing. None for all.
    """
    found: list[Missing] = [None] * columns.view.size
    for need in reversed(needs):
        if need.required:
            for column, lack in _lacks(columns, need).items():
                found[column] = lack
    if asked is not None:
        for column in np.flatnonzero(~asked).tolist():
            found[column] = None
    return tuple(found)


def settled_rows(columns: Columns, interval: Interval) -> Floats:
    """float64 (T, S): complete bars without a gap that end on each row."""
    bars = columns.frame(interval)
    return columns.once(
        ("settled_rows", interval),
        lambda: rolling.complete_rows((bars.open, bars.high, bars.low, bars.close)),
        lasting=interval,
        spent=True,
    )


def _lacks(columns: Columns, need: Need) -> Mapping[int, Lack]:
    """Of each instrument that does not meet a need what it lacks, by column; strategies of one need share it."""

    def make() -> Mapping[int, Lack]:
        if need.interval is not None:
            return _bars_missing(columns, need, need.interval)
        if need.column == "funding":
            return _funding_missing(columns, need)
        if need.column == "open_interest":
            return _interest_missing(columns, need)
        if need.column == "books":
            return _books_missing(columns, need)
        return _quotes_missing(columns, need)

    return columns.once(("lacks", need), make)


def _bars_missing(columns: Columns, need: Need, interval: Interval) -> Mapping[int, Lack]:
    name = f"bars.{interval}"
    last_close_ns = columns.frame(interval).last_close_ns
    age_s = (columns.view.as_of_ns - (last_close_ns or 0)) / SECOND_NS
    if age_s > need.greatest_age_s:
        return dict.fromkeys(range(columns.view.size), (f"{name}.age_s", age_s, need.greatest_age_s, "s"))

    def behind() -> Floats:
        newest: Floats = settled_rows(columns, interval)[-1]
        return newest.copy()

    have = columns.once(("rows_behind", interval), behind, lasting=interval)
    return _below(have, float(need.rows), name, "rows")


def _quotes_missing(columns: Columns, need: Need) -> Mapping[int, Lack]:
    touch, limit_ms = columns.touch, need.greatest_age_s * 1e3
    late = {} if touch.assumed else _above(touch.age_ms, limit_ms, "quote.age_ms", "ms")
    return late | dict.fromkeys(_where(np.isnan(touch.spread_bps)), ("quotes", 0.0, 1.0, "quotes"))


def _books_missing(columns: Columns, need: Need) -> Mapping[int, Lack]:
    books, limit_ms = columns.view.books, need.greatest_age_s * 1e3
    ages_ms = (columns.view.as_of_ns - books.event_ns) / MILLISECOND_NS
    late = _above(ages_ms, limit_ms, "book.age_ms", "ms")
    return late | dict.fromkeys(_where(~books.valid), ("books", 0.0, 1.0, "valid books"))


def _funding_missing(columns: Columns, need: Need) -> Mapping[int, Lack]:
    view, facts = columns.view, columns.view.derivatives
    known = np.isfinite(facts.funding_rate) & (facts.event_ns > 0)
    settled = _points(columns, "funding_history")
    few = _below(settled, float(need.rows), "funding.settled", "settlements")
    late = _above((view.as_of_ns - facts.event_ns) / SECOND_NS, need.greatest_age_s, "funding.age_s", "s")
    return few | late | dict.fromkeys(_where(~known), ("funding", 0.0, 1.0, "rates"))


def _interest_missing(columns: Columns, need: Need) -> Mapping[int, Lack]:
    view, name = columns.view, need.column
    newest = np.zeros(view.size)
    for instrument, history in view.open_interest_history.items():
        column = view.column_of.get(instrument)
        if column is not None and len(history.time_ns):
            newest[column] = (view.as_of_ns - int(history.time_ns[-1])) / SECOND_NS
    late = _above(newest, need.greatest_age_s, f"{name}.age_s", "s")
    return late | _below(_points(columns, "open_interest_history"), float(need.rows), name, "points")


def _points(columns: Columns, name: Literal["funding_history", "open_interest_history"]) -> Floats:
    """How many points the history of each instrument has, (S,); 0 without one."""
    view = columns.view
    histories: Mapping[Instrument, Series] = getattr(view, name)
    points = np.zeros(view.size)
    for instrument, history in histories.items():
        column = view.column_of.get(instrument)
        if column is not None:
            points[column] = len(history.time_ns)
    return points


def _where(lacking: Flags) -> list[int]:
    return np.flatnonzero(lacking).tolist()


def _below(have: Floats, need: float, name: str, unit: str) -> dict[int, Lack]:
    return {column: (name, float(have[column]), need, unit) for column in _where(have < need)}


def _above(age: Floats, limit: float, name: str, unit: str) -> dict[int, Lack]:
    return {column: (name, float(age[column]), limit, unit) for column in _where(age > limit)}
