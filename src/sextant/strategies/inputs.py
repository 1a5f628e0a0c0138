"""What a strategy needs of each instrument, and the first of it that is missing."""

from __future__ import annotations

import numpy as np

from sextant.model.bar import Floats
from sextant.model.times import MILLISECOND_NS, SECOND_NS, Interval
from sextant.model.view import Flags
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Need

Missing = tuple[str, float, float, str] | None
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
    for need in needs:
        if need.required:
            lacks = _lacks(columns, need)
            found = [old or new for old, new in zip(found, lacks, strict=True)]
    if asked is None:
        return tuple(found)
    return tuple(lack if wanted else None for lack, wanted in zip(found, asked.tolist(), strict=True))


def settled_rows(columns: Columns, interval: Interval) -> Floats:
    """float64 (T, S): complete bars without a gap that end on each row."""
    bars = columns.frame(interval)
    return columns.once(
        ("settled_rows", interval),
        lambda: rolling.complete_rows((bars.open, bars.high, bars.low, bars.close)),
        lasting=interval,
        spent=True,
    )


def _lacks(columns: Columns, need: Need) -> list[Missing]:
    if need.interval is not None:
        return _bars_missing(columns, need, need.interval)
    if need.column == "funding":
        return _funding_missing(columns, need)
    if need.column == "open_interest":
        return _interest_missing(columns, need)
    if need.column == "books":
        return _books_missing(columns, need)
    return _quotes_missing(columns, need)


def _bars_missing(columns: Columns, need: Need, interval: Interval) -> list[Missing]:
    name = f"bars.{interval}"
    last_close_ns = columns.frame(interval).last_close_ns
    age_s = (columns.view.as_of_ns - (last_close_ns or 0)) / SECOND_NS
    if age_s > need.greatest_age_s:
        return [(f"{name}.age_s", age_s, need.greatest_age_s, "s")] * columns.view.size
    have = columns.once(
        ("rows_behind", interval),
        lambda: list(settled_rows(columns, interval)[-1].tolist()),
        lasting=interval,
    )
    return [(name, rows, float(need.rows), "rows") if rows < need.rows else None for rows in have]


def _quotes_missing(columns: Columns, need: Need) -> list[Missing]:
    touch = columns.touch
    limit_ms = need.greatest_age_s * 1e3
    found: list[Missing] = []
    for spread, age_ms in zip(touch.spread_bps.tolist(), touch.age_ms.tolist(), strict=True):
        if spread != spread:  # noqa: PLR0124  # true for NaN alone
            found.append(("quotes", 0.0, 1.0, "quotes"))
        else:
            late = not touch.assumed and age_ms > limit_ms
            found.append(("quote.age_ms", age_ms, limit_ms, "ms") if late else None)
    return found


def _books_missing(columns: Columns, need: Need) -> list[Missing]:
    books, limit_ms = columns.view.books, need.greatest_age_s * 1e3
    ages_ms = (columns.view.as_of_ns - books.event_ns) / MILLISECOND_NS
    found: list[Missing] = []
    for valid, age_ms in zip(books.valid.tolist(), ages_ms.tolist(), strict=True):
        if not valid:
            found.append(("books", 0.0, 1.0, "valid books"))
        else:
            found.append(("book.age_ms", age_ms, limit_ms, "ms") if age_ms > limit_ms else None)
    return found


def _funding_missing(columns: Columns, need: Need) -> list[Missing]:
    view = columns.view
    facts = view.derivatives
    known = np.isfinite(facts.funding_rate) & (facts.event_ns > 0)
    ages_s = (view.as_of_ns - facts.event_ns) / SECOND_NS
    found: list[Missing] = []
    for spec, good, age_s in zip(view.instruments, known.tolist(), ages_s.tolist(), strict=True):
        history = view.funding_history.get(spec.instrument)
        settled = 0 if history is None else len(history.time_ns)
        if not good:
            found.append(("funding", 0.0, 1.0, "rates"))
        elif age_s > need.greatest_age_s:
            found.append(("funding.age_s", age_s, need.greatest_age_s, "s"))
        else:
            few = settled < need.rows
            found.append(
                ("funding.settled", float(settled), float(need.rows), "settlements") if few else None
            )
    return found


def _interest_missing(columns: Columns, need: Need) -> list[Missing]:
    view, name = columns.view, need.column
    found: list[Missing] = []
    for spec in view.instruments:
        history = view.open_interest_history.get(spec.instrument)
        points = 0 if history is None else len(history.time_ns)
        if history is None or points < need.rows:
            found.append((name, float(points), float(need.rows), "points"))
            continue
        age_s = (view.as_of_ns - int(history.time_ns[-1])) / SECOND_NS
        late = age_s > need.greatest_age_s
        found.append((f"{name}.age_s", age_s, need.greatest_age_s, "s") if late else None)
    return found
