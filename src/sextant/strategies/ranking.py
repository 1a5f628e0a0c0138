"""Ranking: expected net USD per unit of risk for one account, on one scale for all strategies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from sextant.model.opportunity import Opportunity
from sextant.strategies.sizing import ES95_OF_SIGMA, Profile

LEAST_SHARE = 0.25
"""Share of its own shortfall that a position counts at least, however well it offsets the account."""


@dataclass(frozen=True)
class AccountRisk:
    """What the account already bears over the horizon of the idea.

    Parameters
    ----------
    es95_usd
        Expected shortfall 95 % of the present exposure; 0 without positions.
    correlation
        Of the present exposure's return with the idea's, in [-1, 1].
    es_share_of_budget
        ES97.5 of one day over the profile's budget; above 1 the price of risk rises.
    """

    es95_usd: float = 0.0
    correlation: float = 0.0
    es_share_of_budget: float = 0.0


NO_EXPOSURE = AccountRisk()


def added_risk_usd(sigma_frac: float, notional_usd: float, account: AccountRisk = NO_EXPOSURE) -> float:
    """Shortfall that a position adds to the account, USD, at least a quarter of its own.

    Parameters
    ----------
    sigma_frac
        Standard deviation of the position's return over the horizon.

    Notes
    -----
    R = max(ES95 with - ES95 without, 0.25 ES95 alone), ES95 = 2.063 sigma, joint by the account's covariance.
    """
    alone = ES95_OF_SIGMA * sigma_frac * notional_usd
    now = account.es95_usd
    joint = math.sqrt(max(now * now + 2.0 * account.correlation * now * alone + alone * alone, 0.0))
    return max(joint - now, LEAST_SHARE * alone)


def rank_score(
    edge_lcb_bps: float,
    notional_usd: float,
    sigma_frac: float,
    profile: Profile,
    account: AccountRisk = NO_EXPOSURE,
) -> float:
    """USD expected, cautiously, per USD of added risk, above this account's price of risk (lane earn)."""
    expected_usd = notional_usd * edge_lcb_bps / 1e4
    price = profile.price_of_risk * max(1.0, account.es_share_of_budget)
    return expected_usd / added_risk_usd(sigma_frac, notional_usd, account) - price


def ranked(rows: Iterable[Opportunity]) -> list[Opportunity]:
    """The opportunities in the order in which they are shown; the same rows give the same order.

    Notes
    -----
    By rank_group, rank_score, edge_usd (highest first), opportunity_key. Without an account there is no rank_score: then by
    the lower bound of the edge. Rows that have none of these stand by the hit fraction that pays their costs, lowest first.
    """
    return sorted(rows, key=_place)


def _place(row: Opportunity) -> tuple[float, float, float, float, float, str]:
    return (
        float(row.rank_group),
        _falling(row.rank_score),
        0.0 if row.rank_score is not None else _falling(row.edge_lcb_bps),
        _falling(row.edge_usd),
        math.inf if row.break_even_hit_frac is None else row.break_even_hit_frac,
        row.opportunity_key,
    )


def _falling(value: float | None) -> float:
    return math.inf if value is None else -value
