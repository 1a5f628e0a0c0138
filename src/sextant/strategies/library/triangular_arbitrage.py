"""An asset is worth more after three trades at one venue than before: two prices and their quotient disagree.

Market makers close such gaps within milliseconds, and three taker fees are more than almost all of them. Expect silence;
it loses where one of three orders is not filled and the others are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sextant.model.times import Interval
from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.compose import skipped
from sextant.strategies.contract import Need, Param, Strategy, Verdict
from sextant.strategies.cycle_propose import CycleVerdict, judge_cycles
from sextant.strategies.cycles import CycleSet, cycles_of

FRAME: Final[Interval] = "1m"  # nothing is read of it: prices are those of this moment

NEEDS: Final = (Need("quotes", None, 1, 0.5),)


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """All cycles of three spot instruments of one venue at their executable prices.

    Notes
    -----
    product = the three rates, 1/ask where the base is bought and bid where it is sold; the gain is product - 1 less three
    taker fees, and less what the depth of the books and their lots take at a size.
    """
    cycles = _cycles(view)
    if not cycles.subjects:
        return skipped(FRAME, view, "no three spot instruments of one venue form a cycle")
    touch = columns.touch
    if touch.assumed:
        return skipped(FRAME, view, "the recording has no quotes")
    silent = skipped(FRAME, view, "")
    at_mid, executable = cycles.product(touch.mid, touch.mid), cycles.product(touch.bid, touch.ask)
    return CycleVerdict(
        FRAME,
        silent.signals,
        (),
        silent.missing,
        {"mid_bps": 1e4 * (at_mid - 1.0)[None, :], "executable_bps": 1e4 * (executable - 1.0)[None, :]},
        params=params,
        cycles=cycles,
    )


def _cycles(view: View) -> CycleSet:
    """Found once for all scans of a view."""
    known: CycleSet | None = view.kept.get("cycles")
    if known is None:
        known = view.kept["cycles"] = cycles_of(view.instruments)
    return known


STRATEGY: Final = Strategy(
    id="triangular_arbitrage",
    name="Triangular Arbitrage",
    category="spot",
    catalogue_risk="medium",
    tier="pro",
    min_capital_usd=3_000.0,
    opportunity_type="triangular_arbitrage",
    unit="cycle",
    lane="earn",
    evidence_kind="analytic",
    needs=NEEDS,
    params=(
        Param("least_edge_bps", 2.0, 0.0, 50.0, "bps"),
        Param("dust_frac", 0.001, 0.0, 0.01, "fraction"),
    ),
    cost_class="light",
    evaluate=evaluate,
    judge=judge_cycles,
    references=(
        "Aiba, Hatano, Takayasu, Marumo, Shimizu 2002, Triangular arbitrage as an interaction among foreign exchange rates",
        "Fenn, Howison, McDonald, Williams, Johnson 2009, The mirage of triangular arbitrage in the spot FX market",
    ),
    known_gaps=(
        "All three orders are taken to be filled at once; a missed one is charged to the risk and not to the edge.",
        "Fees are taken of what is received; venues that take them in a token of their own cost less.",
        "A venue that states no quote within half a second is not looked at, though its price may stand.",
    ),
    life_s=2.0,
)
