from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from sextant.api.confluence_trust import condition_body, confidence_body, scored_entries
from sextant.api.confluence_wire import breakdown_answer, row
from sextant.confluence.conditions import Condition
from sextant.confluence.decision import LONG
from sextant.confluence.scorer import Evaluation, Scorer
from sextant.model.times import INTERVAL_NS, MINUTE_NS, SECOND_NS
from sextant.scans.entries import Entry, entry_of
from sextant.strategies.plan import Plan
from support import lively
from support.lively import COLUMN, changed, quoted


def long_now() -> Evaluation:
    """The lively market in which one instrument is long."""
    found = lively.found()
    machine = found.now.machine.copy()
    machine[0, COLUMN] = LONG
    return replace(found, now=replace(found.now, machine=machine))


def entry() -> Entry:
    made = entry_of(quoted(), lively.found(), changed(LONG))
    assert isinstance(made.plan, Plan)
    return made


def at(made: Entry, hours: float) -> Entry:
    """The entry as if it had been made so long before."""
    assert isinstance(made.plan, Plan)
    before_ns = made.change.at_ns - int(hours * INTERVAL_NS["1h"])
    return replace(made, change=replace(made.change, at_ns=before_ns))


def planned(made: Entry, stop: float, target: float) -> Entry:
    """The entry with another stop and first target."""
    assert isinstance(made.plan, Plan)
    first = replace(made.plan.targets[0], price=Decimal(str(target)))
    plan = replace(made.plan, stop=Decimal(str(stop)), targets=(first, *made.plan.targets[1:]))
    return replace(made, plan=plan)


def test_an_entry_whose_time_is_not_over_says_nothing() -> None:
    assert scored_entries([entry()], lively.found()) == ()


def test_entries_are_judged_by_the_bars_that_followed() -> None:
    found = lively.found()
    made = at(entry(), 9.0)
    assert isinstance(made.plan, Plan)
    first = int(np.searchsorted(found.minutes.open_ns, made.change.at_ns))
    strength = abs(made.change.confluence or 0.0)
    low, high = (float(x[first, COLUMN]) for x in (found.minutes.low, found.minutes.high))
    good, bad = planned(made, low / 2, high), planned(made, low, high * 2)
    assert scored_entries([good], found) == ((strength, 1),)
    assert scored_entries([bad], found) == ((strength, 0),)
    assert scored_entries([good, at(bad, -1.0)], found) == ((strength, 1),)  # the second overlaps the first
    assert scored_entries([replace(made, plan=None)], found) == ()


def test_confidence_is_percent_with_its_number_or_a_reason() -> None:
    found = long_now()
    few = confidence_body(found, COLUMN, ((0.45, 1),) * 3)
    assert (few.confidence, few.n) == (None, 3)
    assert few.reason == "Too short a history: 3 of 30."
    enough = confidence_body(found, COLUMN, ((0.45, 1),) * 46 + ((0.45, 0),) * 34)
    assert enough.confidence == pytest.approx(57.3171, abs=5e-5)
    assert (enough.low, enough.high) == pytest.approx((48.3102, 66.1991), abs=5e-5)
    assert (enough.hits, enough.n, enough.reason) == (46, 80, None)
    still = confidence_body(lively.found(), COLUMN, ((0.45, 1),) * 80)
    assert still.confidence is None
    assert still.reason is not None
    assert still.reason.startswith("There is no entry")


def test_a_condition_is_told_with_its_numbers_and_effect() -> None:
    body = condition_body(Condition("stream_stale", "book", 0, None, 4, MINUTE_NS, 12.5, 5.0))
    assert (body.kind, body.subject, body.since, body.last) == (
        "stream_stale",
        "book",
        "1970-01-01T00:00:00.000Z",
        "1970-01-01T00:01:00.000Z",
    )
    assert (body.count, body.have, body.need) == (4, 12.5, 5.0)
    assert body.effect == "the quality of what uses the stream falls"


def test_open_conditions_stand_in_rows_and_breakdowns() -> None:
    from_start, extra = lively.market()
    scorer = Scorer()
    scorer.update(from_start, extra)
    found = scorer.update(replace(from_start, as_of_ns=from_start.as_of_ns + 10 * SECOND_NS), extra)
    kinds = {one.kind for one in found.conditions.of(COLUMN)}
    assert kinds
    assert set(row(found, COLUMN, found.as_of_ns).conditions) == kinds
    answer = breakdown_answer(found, COLUMN, found.as_of_ns, ("replay", False))
    assert {one.kind for one in answer.conditions} == kinds
