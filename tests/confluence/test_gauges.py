"""Each kind of condition where it must open, and where it must not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sextant.confluence.catalog import voices
from sextant.confluence.conditions import ConditionKind, Gauge
from sextant.confluence.contract import Stream
from sextant.confluence.explain import breakdown
from sextant.confluence.gauges import (
    BARS_EXPECTED,
    BARS_PRESENT,
    EVENT_MINUTES,
    BookFacts,
    Facts,
    book_facts,
    gauges,
    longest_of,
)
from sextant.confluence.levels import LEVELS
from sextant.confluence.nodes import Frame, Node
from sextant.confluence.score import Folded
from sextant.confluence.scorer import Scorer
from sextant.indicators.contract import Indicator, fold
from sextant.model.bar import Floats
from sextant.model.times import SECOND_NS
from sextant.model.view import Books, no_books
from support import minutes
from support.indicators import walk
from support.lively import market

VOICES = {voice.name: voice for voice in voices()}
Values = dict[Frame, Mapping[Node, Floats]]


def row(*values: float) -> Floats:
    return np.array([values])


def facts(
    values: Values | None = None,
    *,
    coverage: float = 0.9,
    dissent: float = 0.0,
    apart: float = 0.0,
    ages: Mapping[Stream, float] | None = None,
    gap: float | None = None,
    applies: bool = True,
    books: BookFacts | None = None,
    failed: Mapping[str, str] | None = None,
) -> Facts:
    """What is known of one instrument of which nothing is wrong but what is given."""
    one = row(1.0)
    folded = Folded(
        **{name: one for name in Folded.__dataclass_fields__ if name != "dimensions"},
        dimensions=(),
    )
    return Facts(
        folded=replace(folded, coverage=row(coverage), dissent=row(dissent)),
        apart_bps=np.array([apart]),
        ages={stream: np.array([age]) for stream, age in (ages or {}).items()},
        gaps={} if gap is None else {"trades": row(gap)},
        values=values or {},
        applies=[np.array([applies])] * len(voices()),
        books=books,
        failed=failed or {},
    )


def read(kind: ConditionKind, subject: str, of: Facts) -> tuple[bool, bool]:
    """Whether a reading opens its condition, and whether it closes it."""
    [found] = [one for one in gauges(of) if (one.kind, one.subject) == (kind, subject)]
    return bool(found.opens[0]), bool(found.closes[0])


def absent(kind: ConditionKind, of: Facts) -> list[Gauge]:
    return [one for one in gauges(of) if one.kind == kind]


OPENS, BETWEEN, CLOSES = (True, False), (False, False), (False, True)


@pytest.mark.parametrize(("coverage", "told"), [(0.59, OPENS), (0.62, BETWEEN), (0.65, CLOSES)])
def test_coverage_is_low_below_60_until_65(coverage: float, told: tuple[bool, bool]) -> None:
    assert read("coverage_low", "", facts(coverage=coverage)) == told


@pytest.mark.parametrize(("dissent", "told"), [(0.16, OPENS), (0.12, BETWEEN), (0.09, CLOSES)])
def test_signals_are_mixed_from_15_until_10(dissent: float, told: tuple[bool, bool]) -> None:
    assert read("mixed_signals", "", facts(dissent=dissent)) == told


@pytest.mark.parametrize(
    ("apart", "told"), [(15.1, OPENS), (12.0, BETWEEN), (9.9, CLOSES), (np.nan, BETWEEN)]
)
def test_venues_dispute_above_15_bps_until_10(apart: float, told: tuple[bool, bool]) -> None:
    assert read("venue_dispute", "", facts(apart=apart)) == told


@pytest.mark.parametrize(("gap", "told"), [(0.0051, OPENS), (0.004, BETWEEN), (0.0029, CLOSES)])
def test_trades_are_unreconciled_above_half_a_per_cent(gap: float, told: tuple[bool, bool]) -> None:
    assert read("trades_unreconciled", "trades", facts(gap=gap)) == told


@pytest.mark.parametrize(
    ("stream", "kind", "full_s"),
    [
        ("bars", "stream_stale", 70.0),
        ("book", "stream_stale", 5.0),
        ("liquidations", "liquidation_feed_down", 30.0),
    ],
)
def test_a_stream_is_stale_beyond_the_age_at_which_it_counts_in_full(
    stream: Stream, kind: ConditionKind, full_s: float
) -> None:
    assert read(kind, stream, facts(ages={stream: full_s + 0.1})) == OPENS
    assert read(kind, stream, facts(ages={stream: full_s})) == CLOSES
    assert read(kind, stream, facts(ages={stream: np.nan})) == BETWEEN


@pytest.mark.parametrize(("minutes_", "told"), [(0.0, OPENS), (1.0, CLOSES), (np.nan, BETWEEN)])
def test_liquidations_are_quiet_after_an_hour_of_a_feed_that_was_alive(
    minutes_: float, told: tuple[bool, bool]
) -> None:
    assert read("liquidation_quiet", "", facts({"1m": {EVENT_MINUTES: row(minutes_)}})) == told


@pytest.mark.parametrize(
    ("support", "resistance", "told"),
    [
        (-np.inf, np.inf, OPENS),
        (99.0, np.inf, CLOSES),
        (-np.inf, 101.0, CLOSES),
        (np.nan, np.nan, BETWEEN),  # too few bars say nothing of levels
    ],
)
def test_no_cluster_on_either_side_is_a_state(
    support: float, resistance: float, told: tuple[bool, bool]
) -> None:
    nodes = LEVELS["30m"]
    known: Values = {"30m": {nodes["support"]: row(support), nodes["resistance"]: row(resistance)}}
    assert read("levels_none", "30m", facts(known)) == told


@pytest.mark.parametrize(("rows", "told"), [(251.0, OPENS), (252.0, CLOSES)])
def test_bars_of_an_interval_are_short_below_what_its_slowest_sub_score_needs(
    rows: float, told: tuple[bool, bool]
) -> None:
    """252 rows of adx, confluence.md 2."""
    longest = longest_of("4h")
    assert longest.name == "technical.adx"
    assert read("bars_short", "4h", facts({"4h": {longest.sub.settled: row(rows)}})) == told


@pytest.mark.parametrize(
    ("expected", "present", "told"),
    [
        (500.0, 59.0, OPENS),
        (500.0, 60.0, CLOSES),
        (20.0, 20.0, CLOSES),  # listed twenty minutes ago: what was before is no hole
        (20.0, 19.0, OPENS),
        (0.0, np.nan, BETWEEN),
    ],
)
def test_a_hole_is_a_bar_of_the_last_hour_that_is_not_there(
    expected: float, present: float, told: tuple[bool, bool]
) -> None:
    known: Values = {"1m": {BARS_EXPECTED: row(expected), BARS_PRESENT: row(present)}}
    assert read("bars_hole", "1m", facts(known)) == told


@pytest.mark.parametrize(("points", "told"), [(12.0, OPENS), (13.0, CLOSES)])
def test_open_interest_is_short_below_13_points(points: float, told: tuple[bool, bool]) -> None:
    [need] = VOICES["orderflow.open_interest"].sub.needs
    known: Values = {"1m": {need.count: row(points)}}
    assert read("oi_history_short", "orderflow.open_interest", facts(known)) == told
    spot = facts(known, applies=False)
    assert read("oi_history_short", "orderflow.open_interest", spot) == BETWEEN


@pytest.mark.parametrize(("trades", "told"), [(199.0, OPENS), (200.0, CLOSES)])
def test_trades_are_short_below_their_need(trades: float, told: tuple[bool, bool]) -> None:
    [need] = VOICES["orderflow.cvd"].sub.needs
    assert read("trades_short", "orderflow.cvd", facts({"1m": {need.count: row(trades)}})) == told


def test_a_day_of_minutes_is_short_and_then_the_hours_of_its_reference() -> None:
    voice = VOICES["volume.adl"]
    [need] = voice.sub.needs
    known: Values = {"1m": {voice.sub.settled: row(1_440.0), need.count: row(23.0)}}
    assert read("window_short_1440", "", facts(known)) == OPENS
    assert read("window_short_1440", "reference hours", facts(known)) == OPENS
    known = {"1m": {voice.sub.settled: row(1_441.0), need.count: row(24.0)}}
    assert read("window_short_1440", "", facts(known)) == CLOSES
    assert read("window_short_1440", "reference hours", facts(known)) == CLOSES


def test_what_a_kind_of_instrument_lacks_is_told_and_never_closes() -> None:
    assert read("not_applicable", "sentiment.funding_rate", facts(applies=False)) == OPENS
    assert not absent("not_applicable", facts())


def books(levels: int, *, valid: bool = True, seen: bool = True) -> Books:
    size = np.full((1, 50), np.nan)
    size[0, :levels] = 1.0
    deep = np.ones((1, 50))
    return Books(deep, size, deep, deep, np.array([valid]), np.array([SECOND_NS if seen else 0]))


@pytest.mark.parametrize(
    ("book", "reason", "shallow", "broken"),
    [
        (books(10), "", CLOSES, CLOSES),
        (books(9), "", OPENS, CLOSES),
        (books(50, valid=False), "crossed", OPENS, CLOSES),
        (books(50, valid=False), "gap", BETWEEN, OPENS),
        (books(50, valid=False), "stream_down", BETWEEN, CLOSES),  # its age tells
        (books(50, valid=False, seen=False), "no_snapshot", BETWEEN, BETWEEN),
    ],
)
def test_a_book_is_shallow_or_has_lost_a_message(
    book: Books, reason: str, shallow: tuple[bool, bool], broken: tuple[bool, bool]
) -> None:
    known = facts(books=book_facts(book, [reason]))
    assert (read("book_shallow", "book", known), read("book_gap", "book", known)) == (shallow, broken)


def test_where_nobody_says_why_a_book_is_not_believed_it_counts_as_empty() -> None:
    known = book_facts(books(50, valid=False))
    assert known.levels.tolist() == [0]
    assert np.isnan(known.broken).all()


def test_a_part_that_raised_opens_and_one_that_is_clean_closes() -> None:
    known = facts(failed={"rsi@1m": "ValueError", "adx@5m": ""})
    assert read("part_failed", "rsi@1m", known) == OPENS
    assert read("part_failed", "adx@5m", known) == CLOSES


def test_a_hole_and_short_bars_are_told_of_a_view() -> None:
    bars = {name: x.copy() for name, x in walk(300, 2, 8).items()}
    for x in bars.values():
        x[290, 0] = np.nan
    view = minutes.view_of(bars, minutes.perpetuals(2))
    scorer = Scorer()
    for at in range(2):
        found = scorer.update(replace(view, as_of_ns=view.as_of_ns + at * 10 * SECOND_NS))
    kinds = [{(one.kind, one.subject) for one in found.conditions.of(column)} for column in (0, 1)]
    assert ("bars_hole", "1m") in kinds[0]
    assert ("bars_hole", "1m") not in kinds[1]
    assert {("bars_short", "1m"), ("bars_short", "30m")} <= kinds[0]
    assert ("bars_short", "1m") not in kinds[1]
    # A view without books has no shallow ones.
    assert not [kind for kind, _ in kinds[1] if kind in ("book_shallow", "book_gap")]


def test_books_that_lost_a_message_are_told_of_a_view() -> None:
    view, extra = market()
    broken = replace(
        view,
        books=replace(no_books(view.size, 50), event_ns=np.full(view.size, view.as_of_ns)),
    )
    reasons = ("gap", *[""] * (view.size - 1))
    scorer = Scorer()
    for at in range(2):
        now = replace(broken, as_of_ns=view.as_of_ns + at * 10 * SECOND_NS)
        found = scorer.update(now, replace(extra, book_reasons=reasons))
    assert "book_gap" in {one.kind for one in found.conditions.of(0)}
    assert "book_gap" not in {one.kind for one in found.conditions.of(1)}


def test_suspected_levels_weaken_the_order_book_alone_and_are_named() -> None:
    """Confluence.md 4: times .8 while open, a cause and not a hidden factor."""
    view, extra = market()
    spoofed = np.zeros(view.size, dtype=np.bool_)
    spoofed[3] = True
    plain, marked = Scorer().update(view, extra), Scorer().update(view, replace(extra, spoofed=spoofed))
    book = np.array([voice.dimension.name == "orderbook" for voice in voices()])
    np.testing.assert_allclose(marked.now.quality[book, 3], 0.8 * plain.now.quality[book, 3], rtol=1e-15)
    np.testing.assert_array_equal(marked.now.quality[~book], plain.now.quality[~book])
    np.testing.assert_array_equal(marked.now.quality[:, 2], plain.now.quality[:, 2])
    assert plain.now.quality[book, 3].sum() > 0
    told = breakdown(marked, 3)
    assert told.book_trust == 0.8
    assert {sub.binding for sub in told.dimensions[1].signals if sub.quality > 0} == {"spoof_suspected"}
    assert breakdown(marked, 2).book_trust == 1.0


def test_what_failed_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fold_or_fail(chosen: Indicator, *given: Any) -> dict[str, Floats]:
        if chosen.name == "cci":
            raise ZeroDivisionError
        return fold(chosen, *given)

    monkeypatch.setattr("sextant.confluence.program.fold", fold_or_fail)
    scorer, view = Scorer(), minutes.walked(300, 2)
    kinds = []
    for at in range(2):
        found = scorer.update(replace(view, as_of_ns=view.as_of_ns + at * 10 * SECOND_NS))
        kinds.append({one.subject for one in found.conditions.of(1) if one.kind == "part_failed"})
    assert kinds == [set(), {"cci@1m", "cci@5m", "cci@30m", "cci@4h"}]
    missing = dict(breakdown(found, 1).missing)
    assert missing["technical.cci"].reason == "FAILED"
    assert "cci@1m raised ZeroDivisionError" in missing["technical.cci"].text
    assert "technical.rsi" not in missing
