"""What an account holds in terms of a view: every asset priced, or named with the reason why it is not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

import numpy as np

from sextant.model.balance import Balance, Position
from sextant.model.bar import Floats
from sextant.model.instrument import FIAT_ASSETS, STABLE_ASSETS, is_dollar
from sextant.model.times import SECOND_NS
from sextant.strategies.costs import Pricing

PRICE_AGE_S: Final = 120.0
"""Older quotes do not price a holding."""

COVERAGE: Final = 0.95
"""Least share of the account that must be known."""

_DAILY: Final = "1d"


@dataclass(frozen=True)
class Lot:
    """A balance and its value.

    Parameters
    ----------
    balance
        As the venue states it.
    value_usd
        Signed; never guessed.
    cash
        Whether it is a stablecoin or fiat.
    """

    balance: Balance
    value_usd: float
    cash: bool


@dataclass(frozen=True)
class Open:
    """A position and its signed value."""

    position: Position
    value_usd: float


@dataclass(frozen=True)
class Unpriced:
    """Something held that nobody states a price of."""

    name: str
    quantity: Decimal
    reason: str


@dataclass(frozen=True, eq=False)
class Holdings:
    """An account as a view prices it.

    Parameters
    ----------
    lots, positions
        What has a value; balances of nothing are left out.
    unpriced
        What has none.
    stated_usd
        Equity by the account itself; None where it is unknown.
    answered_frac
        Share of its venues that answered.
    age_s
        Age of the oldest balance or position.
    columns
        Of each asset the column of the view that stands for it, where there is one.
    """

    lots: tuple[Lot, ...]
    positions: tuple[Open, ...]
    unpriced: tuple[Unpriced, ...]
    stated_usd: float | None
    answered_frac: float
    age_s: float
    columns: Mapping[str, int]

    @cached_property
    def equity_usd(self) -> float:
        """Sum of everything that is priced; positions are worth their margin, which lies in the balances."""
        return math.fsum(lot.value_usd for lot in self.lots)

    @cached_property
    def assets(self) -> tuple[str, ...]:
        """Assets that move, the largest exposure first."""
        return tuple(sorted(self.exposure, key=lambda asset: (-abs(self.exposure[asset]), asset)))

    @cached_property
    def exposure(self) -> Mapping[str, float]:
        """Signed USD by asset over balances and positions, cash left out."""
        summed: dict[str, float] = {}
        for lot in self.lots:
            if not lot.cash:
                _add(summed, lot.balance.asset, lot.value_usd)
        for held in self.positions:
            _add(summed, held.position.instrument.base, held.value_usd)
        return {asset: value for asset, value in summed.items() if value}

    @cached_property
    def vector(self) -> Floats:
        """float64 (N,): exposure in the order of ``assets``."""
        return np.array([self.exposure[asset] for asset in self.assets], dtype=np.float64)

    @cached_property
    def cash(self) -> Mapping[str, float]:
        """USD by stablecoin or fiat."""
        summed: dict[str, float] = {}
        for lot in self.lots:
            if lot.cash:
                _add(summed, lot.balance.asset, lot.value_usd)
        return summed

    @cached_property
    def venues(self) -> Mapping[str, float]:
        """USD of balances by venue."""
        summed: dict[str, float] = {}
        for lot in self.lots:
            _add(summed, lot.balance.venue, lot.value_usd)
        return summed

    @property
    def unpriced_usd(self) -> float | None:
        """Most that the unpriced can be worth: what the account states beyond the priced; None where it states nothing."""
        if not self.unpriced:
            return 0.0
        return None if self.stated_usd is None else max(self.stated_usd - self.equity_usd, 0.0)

    @property
    def coverage_frac(self) -> float:
        """Share of the account that is known; NaN where what is unpriced cannot be bounded."""
        bound = self.unpriced_usd
        if bound is None or self.equity_usd <= 0:
            return math.nan
        return self.answered_frac * self.equity_usd / (self.equity_usd + bound)

    def free(self, venue: str, asset: str) -> Decimal:
        """What may be sold of an asset at a venue; nothing where the venue does not say."""
        free = (
            lot.balance.free
            for lot in self.lots
            if (lot.balance.venue, lot.balance.asset) == (venue, asset) and lot.balance.free is not None
        )
        return max(sum(free, Decimal(0)), Decimal(0))

    def warnings(self) -> tuple[str, ...]:
        """What is not priced, and the most it can be worth."""
        if not self.unpriced:
            return ()
        bound = self.unpriced_usd
        most = "its value has no bound" if bound is None else f"together at most {bound:.2f} USD"
        named = ", ".join(f"{item.quantity:f} {item.name} ({item.reason})" for item in self.unpriced)
        return (f"Not priced: {named}; {most}.",)


def holdings_of(pricing: Pricing) -> Holdings:
    """What the account of a pricing holds.

    Notes
    -----
    A price is the mid of a spot instrument against dollars, at the same venue where there is one, else with the largest
    turnover; without one, the value the venue itself states. Dollar-pegged assets count as 1 USD. A position is worth its
    quantity at the mid of its instrument, else the value the venue states.
    """
    account, view = pricing.account, pricing.view
    lots: list[Lot] = []
    held: list[Open] = []
    unpriced: list[Unpriced] = []
    for balance in account.balances:
        if not balance.total:
            continue
        value = _value(pricing, balance)
        if value is None:
            reason = balance.reason or "no price"
            unpriced.append(Unpriced(f"{balance.asset} at {balance.venue}", balance.total, reason))
        else:
            cash = balance.asset in STABLE_ASSETS or balance.asset in FIAT_ASSETS
            lots.append(Lot(balance, value, cash))
    for position in account.positions:
        value = _position_value(pricing, position)
        if value is None:
            reason = position.reason or "no price"
            unpriced.append(Unpriced(str(position.instrument), position.quantity, reason))
        else:
            held.append(Open(position, value))
    times = [balance.as_of_ns for balance in account.balances]
    times += [position.as_of_ns for position in account.positions]
    names = {lot.balance.asset for lot in lots if not lot.cash} | {o.position.instrument.base for o in held}
    columns = {asset: column for asset in names if (column := column_of(pricing, asset)) is not None}
    return Holdings(
        lots=tuple(lots),
        positions=tuple(held),
        unpriced=tuple(unpriced),
        stated_usd=account.equity_usd,
        answered_frac=account.coverage_frac,
        age_s=max((view.as_of_ns - min(times, default=view.as_of_ns)) / SECOND_NS, 0.0),
        columns=columns,
    )


def column_of(pricing: Pricing, asset: str, venue: str | None = None) -> int | None:
    """The column that stands for an asset: spot against dollars before perpetuals, at the venue if there is one, then by turnover.

    Notes
    -----
    Daily bars decide between instruments of equal rank: one without history cannot stand for the asset's risk.
    """
    ranked: list[tuple[bool, bool, int, float, str, int]] = []
    frame = pricing.view.bars.get(_DAILY)
    for column, spec in enumerate(pricing.view.instruments):
        own = spec.instrument
        if own.base != asset or own.kind not in ("spot", "perpetual") or not is_dollar(own.quote):
            continue
        rows = 0 if frame is None else int(np.isfinite(frame.close[:, column]).sum())
        volume = float(pricing.volume_24h_usd[column])
        place = (own.kind != "spot", venue is not None and own.venue != venue, -rows)
        ranked.append((*place, -volume if math.isfinite(volume) else math.inf, str(own), column))
    return min(ranked)[-1] if ranked else None


def fresh(pricing: Pricing, column: int, limit_s: float) -> bool:
    """Whether a column has a price now: a quote not older than the limit, or one assumed in a replay."""
    touch = pricing.touch
    if not (math.isfinite(float(touch.mid[column])) and math.isfinite(float(pricing.usd[column]))):
        return False
    return touch.assumed or float(touch.age_ms[column]) <= limit_s * 1e3


def _value(pricing: Pricing, balance: Balance) -> float | None:
    if is_dollar(balance.asset):
        return float(balance.total)
    spots = [
        (spec.instrument.venue != balance.venue, -_volume(pricing, column), str(spec.instrument), column)
        for column, spec in enumerate(pricing.view.instruments)
        if spec.instrument.base == balance.asset
        and spec.instrument.kind == "spot"
        and is_dollar(spec.instrument.quote)
        and fresh(pricing, column, PRICE_AGE_S)
    ]
    if spots:
        column = min(spots)[-1]
        return float(balance.total) * float(pricing.touch.mid[column] * pricing.usd[column])
    return balance.value_usd


def _position_value(pricing: Pricing, position: Position) -> float | None:
    column = pricing.view.column_of.get(position.instrument)
    if column is not None and fresh(pricing, column, PRICE_AGE_S):
        return float(position.quantity) * float(pricing.touch.mid[column] * pricing.usd[column])
    return position.value_usd


def _volume(pricing: Pricing, column: int) -> float:
    volume = float(pricing.volume_24h_usd[column])
    return volume if math.isfinite(volume) else 0.0


def _add(summed: dict[str, float], name: str, value: float) -> None:
    summed[name] = summed.get(name, 0.0) + value


def spot_columns(pricing: Pricing, assets: Iterable[str], limit_s: float) -> dict[str, list[int]]:
    """By asset the spot instruments against dollars in which it can be traded now."""
    wanted: dict[str, list[int]] = {asset: [] for asset in assets}
    for column, spec in enumerate(pricing.view.instruments):
        own = spec.instrument
        tradable = own.kind == "spot" and is_dollar(own.quote) and spec.status == "trading"
        if own.base in wanted and tradable and fresh(pricing, column, limit_s):
            wanted[own.base].append(column)
    return wanted
