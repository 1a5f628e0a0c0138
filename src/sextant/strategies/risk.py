"""Risk level of an opportunity: what it can lose of what it ties up, independent of strength and confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sextant.model.opportunity import RiskLevel
from sextant.strategies.sizing import THIN_USD, gap_of

LEVELS: Final[tuple[tuple[float, RiskLevel], ...]] = (
    (0.02, "low"),
    (0.06, "medium"),
    (0.15, "medium_high"),
    (0.40, "high"),
    (float("inf"), "very_high"),
)
HIGH_LEVERAGE: Final = 3.0
MOST_STEPS: Final = 2


@dataclass(frozen=True)
class Exposure:
    """What decides the risk of a stopped position.

    Parameters
    ----------
    notional_usd, required_usd
        Size, and the capital it ties up.
    stop_frac, cost_frac
        Distance of the stop and all costs, fractions of the notional; no stop: None.
    es99_frac
        Expected shortfall 99 % of the return over the horizon.
    leverage, volume_24h_usd
        Of the executed instrument.
    """

    notional_usd: float
    required_usd: float
    stop_frac: float | None
    cost_frac: float
    es99_frac: float
    leverage: float
    volume_24h_usd: float


def level_of(rho: float, steps: int) -> tuple[RiskLevel, int]:
    """The level of a loss as a share of capital, and by how many of the wanted steps it was raised.

    Examples
    --------
    >>> level_of(0.05, 1), level_of(0.05, 5), level_of(0.9, 1)
    (('medium_high', 1), ('high', 2), ('very_high', 1))
    """
    base = next(index for index, (limit, _) in enumerate(LEVELS) if rho < limit)
    raised = min(steps, MOST_STEPS)
    return LEVELS[min(base + raised, len(LEVELS) - 1)][1], raised


def risk_of(exposure: Exposure) -> tuple[RiskLevel, dict[str, float]]:
    """The level and the numbers behind it.

    Notes
    -----
    rho = loss/required capital, loss = min(stop x gap + costs, ES99 of the horizon) x notional; one level up, at most two,
    for leverage above 3 and for a 24 h turnover under 5 million USD.
    """
    loss_frac = exposure.es99_frac
    if exposure.stop_frac is not None:
        stopped = exposure.stop_frac * gap_of(exposure.volume_24h_usd) + exposure.cost_frac
        loss_frac = min(stopped, loss_frac)
    loss_usd = loss_frac * exposure.notional_usd
    rho = loss_usd / exposure.required_usd
    steps = int(exposure.leverage > HIGH_LEVERAGE) + int(exposure.volume_24h_usd < THIN_USD)
    level, raised = level_of(rho, steps)
    facts = {
        "loss_usd": loss_usd,
        "loss_frac_of_capital": rho,
        "es99_frac": exposure.es99_frac,
        "leverage": exposure.leverage,
        "volume_24h_usd": exposure.volume_24h_usd,
        "levels_up": float(raised),
    }
    return level, facts
