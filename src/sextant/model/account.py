"""The account a scan is run for, as far as strategies may know it."""

from __future__ import annotations

from typing import Literal

import msgspec

from sextant.errors import InputError
from sextant.model.balance import Balance, Position

Profile = Literal["conservative", "balanced", "aggressive", "beast_mode"]
Grade = Literal["A", "B", "C", "analytic", "unproven"]


class FeeTier(msgspec.Struct, frozen=True):
    """Fees of one venue and kind for an account, in basis points of notional; positive costs the account."""

    venue: str
    kind: str
    tier: str
    maker_bps: float
    taker_bps: float
    assumed: bool
    source: str
    read_on: str


class Account(msgspec.Struct, frozen=True):
    """Who asks and with what.

    Parameters
    ----------
    equity_usd
        Value of balances and positions; None when no venue account is connected, then sizes are illustrative.
    coverage_frac
        Share of the connected venues that answered, in [0, 1].
    free_usd
        Free balance or collateral by venue, USD.
    profile
        Risk profile; decides budgets, Kelly fraction and caps.
    fees
        Fee tiers by ``venue:kind``; absent means the venue's entry tier, marked assumed.
    balances, positions
        What it holds; empty when nothing is held or no venue account is connected.
    """

    equity_usd: float | None = None
    coverage_frac: float = 0.0
    free_usd: dict[str, float] = {}
    profile: Profile = "balanced"
    fees: dict[str, FeeTier] = {}
    balances: tuple[Balance, ...] = ()
    positions: tuple[Position, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether anything at all is held."""
        return bool(self.positions) or any(balance.total for balance in self.balances)

    def __post_init__(self) -> None:
        """Refuse amounts that no account can have."""
        if self.equity_usd is not None and not 0 < self.equity_usd < float("inf"):
            raise InputError(f"Equity {self.equity_usd} USD is not above 0.", field="equity_usd")
        if not 0 <= self.coverage_frac <= 1:
            raise InputError(f"Coverage {self.coverage_frac} is not in [0, 1].", field="coverage_frac")
