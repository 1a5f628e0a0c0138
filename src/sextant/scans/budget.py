"""The plan of a scan: which strategies run, in which order, and the steps everybody may watch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sextant.errors import Denied, InputError, Insufficient
from sextant.scans.records import ScanRequest, Step
from sextant.strategies.contract import COST_CLASSES, Strategy

NOT_ENTITLED: Final = "not_entitled"

STEP_NAMES: Final[Mapping[int, str]] = {
    1: "Accept",
    2: "Entitlement",
    3: "Holdings",
    4: "Universe",
    5: "View",
    6: "Rank and filter",
    7: "Strategy suggestions",
    8: "Assemble",
    9: "Store result",
    10: "Store opportunities",
    11: "Close strategies",
    12: "Metrics",
    13: "Close lifecycle",
    14: "Hand over to alerts and outcome scoring",
}
FIRST_STRATEGY_STEP: Final = 100

_STEP_ORDER: Final = (
    "ai_spot_momentum_strategy",
    "ai_spot_mean_reversion",
    "ai_spot_breakout_strategy",
    "ai_pairs_trading",
    "ai_statistical_arbitrage",
    "ai_market_making",
    "ai_scalping_strategy",
    "ai_complex_strategy",
    "ai_futures_trade",
    "ai_options_trade",
    "ai_funding_arbitrage",
    "ai_risk_management",
    "ai_portfolio_optimization",
    "ai_hedge_position",
)
"""Step 100 + i belongs to the i-th of these: an order of its own that earlier clients know (api.md 2.4)."""


@dataclass(frozen=True)
class Planned:
    """A strategy of a scan; ``skip`` says why it will not be run, or is None."""

    strategy: Strategy
    skip: str | None

    @property
    def id(self) -> str:
        """The catalogue id."""
        return self.strategy.id


def plan(
    request: ScanRequest, granted: Collection[str], catalogue: Mapping[str, Strategy]
) -> tuple[Planned, ...]:
    """The strategies of a request, in catalogue order.

    Raises
    ------
    InputError
        If a strategy is unknown, or the filters leave none.
    Denied
        If a strategy is asked for by name and not granted.
    Insufficient
        If the caller is granted nothing at all.
    """
    if not granted:
        raise Insufficient("No strategy is granted to you; onboard first.", reason="nothing_granted")
    wanted = request.strategy_ids
    if wanted is not None:
        for strategy_id in wanted:
            if strategy_id not in catalogue:
                raise InputError(
                    f"Strategy '{strategy_id}' is none of {', '.join(catalogue)}.",
                    reason="not_a_choice",
                    field="strategy_ids",
                )
            if strategy_id not in granted:
                raise Denied(
                    f"Strategy '{strategy_id}' is not granted to you.",
                    reason=NOT_ENTITLED,
                    field="strategy_ids",
                )
    types = request.opportunity_types
    planned = tuple(
        Planned(strategy, None if strategy.id in granted else NOT_ENTITLED)
        for strategy in catalogue.values()
        if (wanted is None or strategy.id in wanted) and (not types or strategy.opportunity_type in types)
    )
    if not planned:
        raise InputError(
            f"No strategy emits {', '.join(types)}.", reason="not_a_choice", field="opportunity_type"
        )
    return planned


def in_turn(planned: tuple[Planned, ...]) -> list[tuple[int, Planned]]:
    """The strategies with their places in the plan, those that compute longest first.

    Notes
    -----
    Begun last, a long one would work alone on one processor after the others have ended.
    """
    return sorted(enumerate(planned), key=lambda item: -COST_CLASSES.index(item[1].strategy.cost_class))


def step_number(strategy_id: str, catalogue: Mapping[str, Strategy]) -> int:
    """The debug step of a strategy; those unknown to earlier clients follow in catalogue order."""
    if strategy_id in _STEP_ORDER:
        return FIRST_STRATEGY_STEP + _STEP_ORDER.index(strategy_id)
    further = [name for name in catalogue if name not in _STEP_ORDER]
    return FIRST_STRATEGY_STEP + len(_STEP_ORDER) + further.index(strategy_id)


def planned_steps(
    planned: tuple[Planned, ...], catalogue: Mapping[str, Strategy], accepted_ns: int
) -> list[Step]:
    """All steps of a scan as they stand when it is accepted."""
    names = dict(STEP_NAMES) | {
        step_number(item.id, catalogue): f"Strategy: {item.strategy.name}" for item in planned
    }
    return [
        Step(
            number=number,
            name=name,
            status="completed" if number == 1 else "pending",
            time_ns=accepted_ns if number == 1 else None,
            execution_ms=None,
            error=None,
            error_type=None,
        )
        for number, name in sorted(names.items())
    ]
