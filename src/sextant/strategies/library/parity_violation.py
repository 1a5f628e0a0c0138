"""Prices that contradict each other: a synthetic against the future, a box, a vertical or a butterfly below its bound.

What is bought is worth more at expiry whatever happens. It hardly ever survives the fees of two to four legs: of the
recorded chains none does, so expect silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.compose import skipped
from sextant.strategies.contract import Need, Param, Strategy, Verdict
from sextant.strategies.dispositions import Lack
from sextant.strategies.expiries import expiries_of
from sextant.strategies.option_ideas import DAILY, NO_OPTIONS
from sextant.strategies.parity import Violation, futures_of, violations
from sextant.strategies.parity_propose import ParityVerdict, judge_parity

NEEDS: Final = (Need("chain", None, 1, 30.0),)


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """The combinations of every chain that come nearest to a gain without risk."""
    if not any(chain.size for chain in view.chains.values()):
        return skipped(DAILY, view, NO_OPTIONS)
    found: dict[str, tuple[tuple[Violation, ...], Lack | None]] = {}
    for name, chain in sorted(view.chains.items()):
        base = name.partition(":")[2].partition("-")[0]
        futures = futures_of(columns, name)
        candidates = found.get(base, ((), None))[0] + tuple(
            violation
            for expiry in expiries_of(chain, view.as_of_ns)
            if expiry.days >= params["days_low"]
            for violation in violations(expiry, futures.get(expiry.expiry_ns))
        )
        found[base] = (candidates, None if candidates else ("chain.strikes", 0.0, 1.0, "combinations"))
    nothing = skipped(DAILY, view, "")
    return ParityVerdict(DAILY, nothing.signals, (), nothing.missing, {}, params=params, found=found)


STRATEGY: Final = Strategy(
    id="parity_violation",
    name="Option Parity",
    category="derivatives",
    catalogue_risk="low",
    tier="pro",
    min_capital_usd=3_000.0,
    opportunity_type="parity_violation",
    unit="underlying",
    lane="earn",
    evidence_kind="analytic",
    needs=NEEDS,
    params=(
        Param("days_low", 0.1, 0.0, 30.0, "d"),
        Param("apart_s", 2.0, 0.1, 30.0, "s"),
    ),
    cost_class="medium",
    evaluate=evaluate,
    judge=judge_parity,
    references=(
        "Stoll, H. (1969). The relationship between put and call option prices. Journal of Finance 24.",
        "Merton, R. (1973). Theory of rational option pricing. Bell Journal of Economics 4.",
    ),
    known_gaps=(
        "Calendar bounds are not looked at: no strike has the same moneyness at two expiries.",
        "Butterflies are looked at between neighbouring strikes of equal distance only.",
        "All legs are taken to be filled at once; a missed leg is charged to the risk and not to the edge.",
    ),
)
