"""The limits of a portfolio, what it has of each, and the smallest step that brings a breach back under."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final

import numpy as np

from sextant.model.instrument import STABLE_ASSETS, is_dollar
from sextant.model.opportunity import Transfer
from sextant.strategies.ground import Ground
from sextant.strategies.holdings import Open, fresh
from sextant.strategies.orders import (
    QUOTE_AGE_S,
    Order,
    Side,
    order_of,
    reduce_orders,
    sources_of,
    unit_usd,
    whole_lots,
)
from sextant.strategies.tail import clusters

CLUSTERED: Final = 0.8  # correlation above which assets are one
EXIT_SHARE: Final = 0.05  # of a day's turnover that can be sold without being noticed
_BISECTIONS: Final = 50
_EIGHT: Final = Decimal("1e-8")  # venues take eight decimals of an asset


@dataclass(frozen=True)
class Fix:
    """What would bring a value back: orders or a transfer, out of ``wanted_usd``; empty with the reason why not."""

    orders: tuple[Order, ...] = ()
    transfer: Transfer | None = None
    wanted_usd: float = 0.0
    lacking: str = ""


@dataclass(frozen=True)
class Check:
    """A limit and what the portfolio has of it.

    Parameters
    ----------
    name, mitigation
        Stable words.
    value, limit, unit
        A ``value`` above ``limit`` is a breach; NaN where it cannot be read.
    subject
        What has it: an asset, a venue, a position.
    further
        Whether a worse subject breaches the same limit.
    fix
        Its mend for a share of the limit to aim at; asked for a breach only.
    falls
        A breach is a value below the limit instead.
    """

    name: str
    mitigation: str
    value: float
    limit: float
    unit: str
    subject: str
    fix: Callable[[float], Fix]
    falls: bool = False
    further: bool = False

    @property
    def title(self) -> str:
        """Its name; with its subject where it is not the first of its kind."""
        return f"{self.name} of {self.subject}" if self.further else self.name

    @property
    def breach(self) -> float:
        """Value over limit, or limit over value where it falls: 1 = at the limit."""
        if self.falls:
            return self.limit / self.value if self.value > 0 else math.inf
        return self.value / self.limit


Limits = Mapping[str, float]
"""By name of the check."""


def checks_of(ground: Ground, limits: Limits) -> tuple[Check, ...]:
    """All checks: of each kind every subject that breaches its limit, the worst first, or else the worst alone."""
    return (
        _shortfall(ground),
        *_one_asset(ground, limits["one_asset"]),
        _one_venue(ground, limits["one_venue"]),
        *_one_stablecoin(ground, limits["one_stablecoin"]),
        *_stablecoin_price(ground, limits["stablecoin_price"]),
        _gross(ground, limits["gross_exposure"]),
        *_liquidation(ground, limits["liquidation_distance"]),
        *_exit(ground, limits["days_to_exit"]),
        *_correlated(ground, limits["correlated"]),
    )


def es_after(ground: Ground, orders: tuple[Order, ...]) -> float:
    """ES97.5 of a day once orders are done."""
    exposure = ground.exposure.copy()
    for order in orders:
        base = ground.pricing.view.instruments[order.column].instrument.base
        if base in ground.modelled:
            sign = 1.0 if order.side == "buy" else -1.0
            exposure[ground.modelled.index(base)] += sign * order.notional_usd
    return ground.es_of(exposure)


# ---- shortfall -----------------------------------------------------------------------------------


def _shortfall(ground: Ground) -> Check:
    limit = ground.profile.es_budget_frac
    value = ground.es_usd / ground.equity_usd
    return Check(
        "shortfall",
        "position_size_reduction",
        value,
        limit,
        "fraction",
        "portfolio",
        partial(_less_tail, ground),
    )


def _less_tail(ground: Ground, aim: float) -> Fix:
    """The one asset of which the least must go; where none is enough, the riskiest goes first and then the next."""
    goal = aim * ground.budget_usd
    alone = [
        (usd, asset)
        for asset in ground.modelled
        if (usd := _enough(ground, asset, goal, _reducible(ground, asset))) is not None
    ]
    if alone:
        usd, asset = min(alone)
        return _reduced(ground, asset, usd)
    orders: tuple[Order, ...] = ()
    wanted = 0.0
    for asset in _riskiest(ground):
        most = _reducible(ground, asset)
        more, _ = reduce_orders(ground.pricing, ground.holdings, asset, most)
        orders, wanted = (*orders, *more), wanted + most
        if es_after(ground, orders) <= goal:
            break
    return Fix(orders, None, wanted, "" if orders else "nothing of it is free to be sold")


def _enough(ground: Ground, asset: str, goal: float, most: float) -> float | None:
    """The least reduction of one exposure that reaches a shortfall; None where even ``most`` does not."""
    if most <= 0 or ground.es_without(asset, most) > goal:
        return None
    low, high = 0.0, most
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if ground.es_without(asset, middle) > goal:
            low = middle
        else:
            high = middle
    return high


def _riskiest(ground: Ground) -> list[str]:
    """Assets by what a little less of each takes off the shortfall, per USD."""
    step = 1e-3 * ground.equity_usd
    gain = {asset: ground.es_usd - ground.es_without(asset, step) for asset in ground.modelled}
    return sorted(ground.modelled, key=lambda asset: (-gain[asset], asset))


def _reducible(ground: Ground, asset: str) -> float:
    sources = sources_of(ground.pricing, ground.holdings, asset)
    most = math.fsum(float(source.most) * unit_usd(ground.pricing, source.column) for source in sources)
    return min(most, abs(ground.holdings.exposure[asset]))


def _reduced(ground: Ground, asset: str, usd: float) -> Fix:
    orders, _ = reduce_orders(ground.pricing, ground.holdings, asset, usd)
    return Fix(orders, None, usd, "" if orders else f"no free {asset} can be sold in an order of that size")


# ---- concentration -------------------------------------------------------------------------------


def _worst(values: Mapping[str, float]) -> tuple[str, float]:
    if not values:
        return "none", 0.0
    name = max(sorted(values), key=lambda key: values[key])
    return name, values[name]


def _over(values: Mapping[str, float], limit: float) -> list[tuple[str, float, bool]]:
    """Every subject at or over a limit, the worst first, or else the worst alone; and whether a worse one stands before it."""
    ranked = sorted(values.items(), key=lambda item: (-item[1], item[0]))
    over = [item for item in ranked if item[1] >= limit] or ranked[:1] or [("none", 0.0)]
    return [(name, value, position > 0) for position, (name, value) in enumerate(over)]


def _one_asset(ground: Ground, limit: float) -> list[Check]:
    shares = {asset: abs(usd) / ground.equity_usd for asset, usd in ground.holdings.exposure.items()}

    def less(asset: str, value: float, aim: float) -> Fix:
        return _reduced(ground, asset, (value - aim * limit) * ground.equity_usd)

    return [
        Check(
            "one_asset",
            "diversification",
            value,
            limit,
            "fraction",
            asset,
            partial(less, asset, value),
            further=further,
        )
        for asset, value, further in _over(shares, limit)
    ]


def _correlated(ground: Ground, limit: float) -> list[Check]:
    names: dict[str, float] = {}
    members: dict[str, list[str]] = {}
    if len(ground.modelled) > 1:
        for group in clusters(np.asarray(np.corrcoef(ground.returns.T)), CLUSTERED):
            assets = [ground.modelled[i] for i in group]
            name = "+".join(assets)
            net = math.fsum(ground.holdings.exposure[asset] for asset in assets)
            names[name], members[name] = abs(net) / ground.equity_usd, assets

    def less(cluster: str, value: float, aim: float) -> Fix:
        largest = max(members[cluster], key=lambda asset: abs(ground.holdings.exposure[asset]))
        return _reduced(ground, largest, (value - aim * limit) * ground.equity_usd)

    return [
        Check(
            "correlated",
            "diversification",
            value,
            limit,
            "fraction",
            cluster,
            partial(less, cluster, value),
            further=further,
        )
        for cluster, value, further in _over(names, limit)
    ]


def _one_venue(ground: Ground, limit: float) -> Check:
    shares = {venue: usd / ground.equity_usd for venue, usd in ground.holdings.venues.items()}
    venue, value = _worst(shares)

    def fix(aim: float) -> Fix:
        others = (set(shares) | set(ground.pricing.account.free_usd)) - {venue}
        if not others:
            return Fix(lacking="no account at a second venue")
        to = min(sorted(others), key=lambda name: shares.get(name, 0.0))
        return _moved(ground, venue, to, (value - aim * limit) * ground.equity_usd)

    return Check("one_venue", "venue_diversification", value, limit, "fraction", venue, fix)


def _moved(ground: Ground, venue: str, to: str, usd: float) -> Fix:
    """One transfer of the asset that is most plentiful there, cash before others."""
    ranked = sorted(
        (
            not lot.cash,
            -float(lot.balance.free or 0) * lot.value_usd / float(lot.balance.total),
            lot.balance.asset,
        )
        for lot in ground.holdings.lots
        if lot.balance.venue == venue and lot.value_usd > 0 and (lot.balance.free or 0) > 0
    )
    enough = [row for row in ranked if -row[1] >= usd] or sorted(ranked, key=lambda row: row[1])
    if not enough:
        return Fix(lacking=f"nothing at {venue} is free to be moved")
    _, have, asset = enough[0]
    lot = next(x for x in ground.holdings.lots if (x.balance.venue, x.balance.asset) == (venue, asset))
    value = min(usd, -have)
    price = Decimal(lot.value_usd) / lot.balance.total
    quantity = (Decimal(value) / price).quantize(_EIGHT)
    free = lot.balance.free or Decimal(0)
    return Fix((), Transfer(asset, min(quantity, free), venue, to, value, None, None), usd)


# ---- stablecoins ---------------------------------------------------------------------------------


def _one_stablecoin(ground: Ground, limit: float) -> list[Check]:
    held = ground.holdings.cash.items()
    shares = {asset: usd / ground.equity_usd for asset, usd in held if asset in STABLE_ASSETS}

    def split(asset: str, value: float, aim: float) -> Fix:
        return _swapped(ground, asset, (value - aim * limit) * ground.equity_usd)

    return [
        Check(
            "one_stablecoin",
            "stablecoin_split",
            value,
            limit,
            "fraction",
            asset,
            partial(split, asset, value),
            further=further,
        )
        for asset, value, further in _over(shares, limit)
    ]


def _stablecoin_price(ground: Ground, limit: float) -> list[Check]:
    off = {asset: _off_peg_bps(ground, asset) for asset in ground.holdings.cash if asset in STABLE_ASSETS}

    def leave(asset: str, _: float) -> Fix:
        return _swapped(ground, asset, ground.holdings.cash[asset])

    known = {name: bps for name, bps in off.items() if bps is not None}
    return [
        Check(
            "stablecoin_price",
            "stablecoin_split",
            value,
            limit,
            "bps",
            asset,
            partial(leave, asset),
            further=further,
        )
        for asset, value, further in _over(known, limit)
    ]


def _off_peg_bps(ground: Ground, asset: str) -> float | None:
    """How far a stablecoin is off one dollar; against another stablecoin only what it is below it. None without a quote."""
    told: list[float] = []
    for column, spec in enumerate(ground.pricing.view.instruments):
        own = spec.instrument
        if (
            own.kind != "spot"
            or asset not in (own.base, own.quote)
            or not fresh(ground.pricing, column, QUOTE_AGE_S)
        ):
            continue
        other = own.quote if asset == own.base else own.base
        mid = float(ground.pricing.touch.mid[column])
        price = mid if asset == own.base else 1.0 / mid
        if other == "USD":
            told.append(1e4 * abs(price - 1.0))
        elif other in STABLE_ASSETS:
            told.append(1e4 * max(1.0 - price, 0.0))
    return max(told) if told else None


def _swapped(ground: Ground, asset: str, usd: float) -> Fix:
    """One order from a stablecoin into another, where the balance lies free."""
    pricing = ground.pricing
    for column, spec in enumerate(pricing.view.instruments):
        own = spec.instrument
        couple = own.kind == "spot" and is_dollar(own.base) and is_dollar(own.quote)
        if not couple or asset not in (own.base, own.quote) or not fresh(pricing, column, QUOTE_AGE_S):
            continue
        free = ground.holdings.free(own.venue, asset)
        side: Side = "sell" if own.base == asset else "buy"
        if side == "sell":
            quantity = whole_lots(pricing, column, usd, free)
        else:
            quantity = whole_lots(pricing, column, min(usd, float(free)), up=False)
        order = order_of(pricing, column, side, quantity) if quantity > 0 else None
        if order is not None:
            return Fix((order,), None, usd)
    return Fix(lacking=f"no instrument trades {asset} against another stablecoin here")


# ---- leverage and liquidity ----------------------------------------------------------------------


def _gross(ground: Ground, limit: float) -> Check:
    value = math.fsum(abs(usd) for usd in ground.holdings.exposure.values()) / ground.equity_usd

    def fix(aim: float) -> Fix:
        left = wanted = (value - aim * limit) * ground.equity_usd
        orders: tuple[Order, ...] = ()
        for held in sorted(ground.holdings.positions, key=lambda item: -abs(item.value_usd)):
            asset = held.position.instrument.base
            more, taken = reduce_orders(
                ground.pricing, ground.holdings, asset, min(left, abs(held.value_usd))
            )
            orders, left = (*orders, *more), left - taken
            if left <= 0:
                break
        return Fix(orders, None, wanted, "" if orders else "no position can be made smaller")

    return Check("gross_exposure", "leverage_reduction", value, limit, "ratio", "portfolio", fix)


def _liquidation(ground: Ground, limit: float) -> list[Check]:
    """The nearest liquidations; a position whose price of it is not known cannot be judged, and says so."""
    found = sorted(
        ((_distance(ground, held), index) for index, held in enumerate(ground.holdings.positions)),
        key=lambda item: (not math.isnan(item[0]), item),
    )
    if not found:
        found = [(math.inf, -1)]
    unknown = [item for item in found if math.isnan(item[0])]
    known = [item for item in found if not math.isnan(item[0])]
    shown = [*(item for item in known if item[0] <= limit), *unknown] or known[:1]
    checks: list[Check] = []
    for distance, index in shown:
        held = ground.holdings.positions[index] if index >= 0 else None
        subject = "none" if held is None else str(held.position.instrument)
        fix = partial(_margin, ground, held, distance, limit)
        checks.append(
            Check(
                "liquidation_distance",
                "margin_top_up",
                distance,
                limit,
                "sigma",
                subject,
                fix,
                falls=True,
                further=bool(checks),
            )
        )
    return checks


def _margin(ground: Ground, held: Open | None, now: float, limit: float, aim: float) -> Fix:
    return Fix() if held is None else _topped_up(ground, held, now, limit / aim)


def _distance(ground: Ground, held: Open) -> float:
    """From the mark to the liquidation price in daily volatilities; NaN where one of them is unknown."""
    price = held.position.liquidation_price
    if price is None:
        return math.nan
    mark = held.value_usd / float(held.position.quantity)
    sigma = ground.sigma_day(held.position.instrument.base)
    return abs(1.0 - float(price) / mark) / sigma


def _topped_up(ground: Ground, held: Open, now: float, goal: float) -> Fix:
    """Margin from another venue; without any, as much of the position closed as moves its liquidation price as far."""
    own = held.position.instrument
    notional = abs(held.value_usd)
    usd = notional * (goal - now) * ground.sigma_day(own.base)
    elsewhere = [
        (float(lot.balance.free or 0), lot.balance.venue, lot.balance.asset)
        for lot in ground.holdings.lots
        if lot.cash and lot.balance.venue != own.venue and lot.balance.asset in (own.quote, "USDT", "USDC")
    ]
    free, venue, asset = max(elsewhere, default=(0.0, "", ""))
    if free >= usd > 0:
        quantity = Decimal(usd).quantize(_EIGHT)
        return Fix((), Transfer(asset, quantity, venue, own.venue, usd, None, None), usd)
    return _reduced(ground, own.base, notional * (1.0 - now / goal))


def _exit(ground: Ground, limit: float) -> list[Check]:
    days: dict[str, float] = {}
    volumes: dict[str, float] = {}
    for asset, usd in ground.holdings.exposure.items():
        traded = [
            float(ground.pricing.volume_24h_usd[column])
            for column, spec in enumerate(ground.pricing.view.instruments)
            if spec.instrument.base == asset
        ]
        volumes[asset] = math.fsum(volume for volume in traded if math.isfinite(volume))
        if volumes[asset] > 0:
            days[asset] = abs(usd) / (EXIT_SHARE * volumes[asset])

    def less(asset: str, aim: float) -> Fix:
        kept = aim * limit * EXIT_SHARE * volumes[asset]
        return _reduced(ground, asset, abs(ground.holdings.exposure[asset]) - kept)

    return [
        Check(
            "days_to_exit",
            "liquidity_reduction",
            value,
            limit,
            "days",
            asset,
            partial(less, asset),
            further=further,
        )
        for asset, value, further in _over(days, limit)
    ]
