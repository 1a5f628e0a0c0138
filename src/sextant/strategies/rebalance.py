"""The rebalancing plan: the cheapest whole orders that bring every weight into its band, and why where they cannot."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Final, Literal

import msgspec
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from sextant.errors import InputError
from sextant.model.bar import Floats
from sextant.model.instrument import InstrumentSpec
from sextant.strategies.optimise import Refusal

LEAST_BAND: Final = 0.01
ORDER_FRAC: Final = 0.1e-4  # of equity: what an order costs the owner's attention
OUTSIDE: Final = 10.0  # price of a weight outside its band; no cost of trading comes near
FEW_LOTS: Final = 20_000.0  # beyond this many lots an order is solved as continuous and rounded down
LIMIT_S: Final = 1.0
HIGH_FRAC: Final = 0.05  # a change above this has high priority

Side = Literal["buy", "sell"]


@dataclass(frozen=True)
class Place:
    """Where an asset can be traded against cash.

    Parameters
    ----------
    asset
        What is traded; several places may trade the same asset.
    spec
        The spot instrument.
    bid, ask
        Best prices, quote units.
    usd
        USD per quote unit.
    free
        Quantity at the venue that may be sold.
    cost_frac
        Fee, half spread and slippage of one order, fraction of its notional, >= 0.
    """

    asset: str
    spec: InstrumentSpec
    bid: float
    ask: float
    usd: float
    free: Decimal
    cost_frac: float

    def __post_init__(self) -> None:
        """Refuse a place where nothing has a price."""
        numbers = (self.bid, self.ask, self.usd, self.cost_frac)
        if not (all(map(math.isfinite, numbers)) and min(self.bid, self.ask, self.usd) > 0):
            raise InputError(
                f"{self.spec.instrument} has no usable price: {self.bid}, {self.ask}, {self.usd}."
            )
        if self.cost_frac < 0 or self.free < 0:
            raise InputError(f"{self.spec.instrument} costs {self.cost_frac} and holds {self.free}.")

    @property
    def unit_usd(self) -> float:
        """USD of one base unit, at the mid."""
        return 0.5 * (self.bid + self.ask) * self.usd

    @property
    def lot_usd(self) -> float:
        """USD of one lot."""
        return float(self.spec.lot) * self.unit_usd

    @property
    def least_usd(self) -> float:
        """The smallest order the venue takes."""
        least = 0.0 if self.spec.min_notional is None else float(self.spec.min_notional) * self.usd
        return max(least, self.lot_usd)


@dataclass(frozen=True)
class Wishes:
    """What the owner asks of a plan.

    Parameters
    ----------
    band_frac
        Half the width of each band, [0.01, 0.2]; smaller for small targets.
    min_trade_usd
        No order below it.
    max_trades
        No more orders.
    buy_only
        Nothing is sold.
    """

    band_frac: float = 0.05
    min_trade_usd: float = 10.0
    max_trades: int = 10
    buy_only: bool = False


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be planned.

    Parameters
    ----------
    assets
        N codes.
    now, target
        float64 (N,): weights; both sum to at most 1, the rest is cash. Assets that shall not move have ``target`` = ``now``.
    places
        Where orders may go; an asset without one cannot move.
    cash_usd
        Free cash by venue: buys are paid from it and from sells at the same venue.
    equity_usd
        What weights are shares of.
    wishes
        What the owner asks.
    """

    assets: tuple[str, ...]
    now: Floats
    target: Floats
    places: tuple[Place, ...]
    cash_usd: Mapping[str, float]
    equity_usd: float
    wishes: Wishes = Wishes()

    @property
    def bands(self) -> Floats:
        """float64 (N,): half widths, ``max(0.01, min(band_frac, half of the target))``."""
        return _band(self.target, self.wishes.band_frac)

    @property
    def drift(self) -> Floats:
        """float64 (N,): weight less target."""
        return self.now - self.target


@dataclass(frozen=True)
class Line:
    """One order; USD and weights never share a field.

    Parameters
    ----------
    place, side
        Where and which way.
    quantity
        Whole lots, above 0.
    notional_usd, cost_usd
        At the mid, and what trading it costs.
    before_frac, after_frac, target_frac
        Weights of the asset.
    reason
        Why, in words with numbers.
    priority
        high where the weight changes by more than 5 %.
    """

    place: Place
    side: Side
    quantity: Decimal
    notional_usd: float
    cost_usd: float
    before_frac: float
    after_frac: float
    target_frac: float
    reason: str
    priority: Literal["high", "normal"]


@dataclass(frozen=True, eq=False)
class Plan:
    """Orders, sells first, and what stands in the way of more.

    Parameters
    ----------
    lines
        At most ``max_trades``; empty only with a refusal.
    after
        float64 (N,): weights once they are done, at today's mids.
    refusals
        What could not be reached, or why nothing is to do.
    greedy
        Whether the exact program ran out of time and a simple rule planned instead.
    """

    lines: tuple[Line, ...]
    after: Floats
    refusals: tuple[Refusal, ...]
    greedy: bool = False

    @property
    def cost_usd(self) -> float:
        """What all lines cost."""
        return math.fsum(line.cost_usd for line in self.lines)

    @property
    def turnover_usd(self) -> float:
        """What is traded."""
        return math.fsum(line.notional_usd for line in self.lines)


def make_plan(task: Task, limit_s: float = LIMIT_S) -> Plan:
    """The plan of a task.

    Notes
    -----
    Weights inside their band are left alone; those outside go to the nearest edge, the balance falls to cash, and only a
    cash weight outside its own band asks for more. A mixed-integer program: least cost plus 0.1 bps of equity per order;
    sells within what is free at the venue, buys within its cash and its sells; an order is 0 or at least the larger of the
    venue's and the owner's least; whole lots.

    Raises
    ------
    InputError
        If the weights are not numbers or nothing is owned.
    """
    if not (task.equity_usd > 0 and np.isfinite(task.now).all() and np.isfinite(task.target).all()):
        raise InputError("A plan needs equity above 0 and known weights.", reason="out_of_range")
    beyond = np.abs(task.drift) - task.bands
    cash = _cash_gap(task, task.now)
    if not len(task.assets) or (beyond.max() <= 0 and cash == 0):
        drift = float(np.abs(task.drift).max(initial=0.0))
        band = float(task.bands.max(initial=LEAST_BAND))
        words = f"Every weight is within its band; the largest drift is {drift:.3f}."
        return Plan(
            (), task.now, (Refusal("no_orders_needed", {"drift_frac": drift, "band_frac": band}, words),)
        )
    solved = _Program(task).best(limit_s) if task.places else np.zeros(0)
    greedy = solved is None
    amounts = _simple(task) if solved is None else solved
    return _finished(task, amounts, greedy=greedy)


def inputs_hash(task: Task) -> str:
    """Hex digest of everything a plan depends on; equal inputs give equal plans."""
    facts = (
        task.assets,
        task.now.tolist(),
        task.target.tolist(),
        [(str(p.spec.instrument), p.bid, p.ask, p.usd, p.free, p.cost_frac, p.spec) for p in task.places],
        sorted(task.cash_usd.items()),
        task.equity_usd,
        (task.wishes.band_frac, task.wishes.min_trade_usd, task.wishes.max_trades, task.wishes.buy_only),
    )
    return hashlib.blake2b(msgspec.json.encode(facts), digest_size=16).hexdigest()


def _band(target: Floats, band_frac: float) -> Floats:
    bands: Floats = np.maximum(LEAST_BAND, np.minimum(band_frac, 0.5 * target))
    return bands


def _cash_gap(task: Task, weights: Floats) -> float:
    """How far cash is outside its band: above 0 too much, below 0 too little."""
    target = 1.0 - float(task.target.sum())
    band = float(_band(np.array([target]), task.wishes.band_frac)[0])
    gap = 1.0 - float(weights.sum()) - target
    return math.copysign(max(abs(gap) - band, 0.0), gap) if abs(gap) > band else 0.0


class _Program:
    """The mixed-integer program of a task.

    Notes
    -----
    Variables: bought and sold at each place, in lots where these are few and in shares of equity where not, whether each
    order exists, and how far each weight and cash lie below and above their bands.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        places, equity, wishes = task.places, task.equity_usd, task.wishes
        self._count, self._size = len(places), len(task.assets)
        self._slacks = 2 * self._size + 2
        self._lots = np.array([place.lot_usd / equity for place in places])
        self._coarse = self._lots * FEW_LOTS >= 1.0
        self._unit = np.where(self._coarse, self._lots, 1.0)
        self._cost = np.array([place.cost_frac for place in places])
        # Rounding down must not bring an order under the least.
        rounded = np.where(self._coarse, 0.0, self._lots)
        self._least = rounded + np.array([_least_usd(task, place) / equity for place in places])
        held = np.array([float(place.free) * place.unit_usd / equity for place in places])
        whole = np.floor(held / self._lots + 1e-9) * self._lots
        self._sellable = np.where(self._coarse, whole, held) * (0.0 if wishes.buy_only else 1.0)

    def best(self, limit_s: float) -> Floats | None:
        """float64 (P,): signed change at each place as shares of equity, bought above 0; None where time ran out."""
        count = self._count
        priced = (self._cost + 1e-7) * self._unit
        objective = np.concatenate(
            (priced, priced, np.full(2 * count, ORDER_FRAC), np.full(self._slacks, OUTSIDE))
        )
        most = np.concatenate(
            (1.0 / self._unit, self._sellable / self._unit, np.ones(2 * count), np.full(self._slacks, 2.0))
        )
        whole = np.concatenate((self._coarse, self._coarse, np.ones(2 * count), np.zeros(self._slacks)))
        found = milp(
            objective,
            integrality=whole.astype(np.int64),
            bounds=Bounds(0.0, most),
            constraints=[*self._bands(), *self._orders()],
            options={"time_limit": limit_s, "mip_rel_gap": 1e-9},
        )
        if found.x is None:
            return None
        amounts: Floats = (found.x[:count] - found.x[count : 2 * count]) * self._unit
        return amounts

    def _bands(self) -> list[LinearConstraint]:
        """Weights and cash within their bands, and buys within the cash and the sells of their venue."""
        task, places, size, unit = self._task, self._task.places, self._size, self._unit
        of_asset = np.array([[p.asset == asset for p in places] for asset in task.assets], dtype=np.float64)
        venues = sorted({place.spec.instrument.venue for place in places})
        at_venue = np.array(
            [[p.spec.instrument.venue == v for p in places] for v in venues], dtype=np.float64
        )
        existing = np.zeros((size, 2 * self._count))
        apart = np.hstack((np.eye(size), -np.eye(size), np.zeros((size, 2))))
        weights = np.hstack((of_asset * unit, -of_asset * unit, existing, apart))
        paid, had = unit * (1.0 + self._cost), unit * (1.0 - self._cost)
        cash = np.concatenate((-paid, had, np.zeros(2 * self._count + 2 * size), [1.0, -1.0]))
        rest = np.zeros((len(venues), 2 * self._count + self._slacks))
        bills = np.hstack((at_venue * paid, -at_venue * had, rest))
        low, high = _edges(task, of_asset @ np.where(self._coarse, 0.0, self._lots))
        return [
            LinearConstraint(weights, low - task.now, high - task.now),
            LinearConstraint(cash[None, :], *_cash_edges(task)),
            LinearConstraint(bills, -np.inf, [task.cash_usd.get(v, 0.0) / task.equity_usd for v in venues]),
        ]

    def _orders(self) -> list[LinearConstraint]:
        """An order is 0, or between the least and the most; and there are not too many."""
        count = self._count
        none, slack = np.zeros((count, count)), np.zeros((count, self._slacks))
        amount = np.diag(self._unit)
        rules: list[LinearConstraint] = []
        for most, least, sold in (
            (np.ones(count), self._least, False),
            (self._sellable, self._least, True),
        ):
            for bound, low, high in ((most, -np.inf, 0.0), (least, 0.0, np.inf)):
                parts = (
                    (none, amount, none, -np.diag(bound)) if sold else (amount, none, -np.diag(bound), none)
                )
                rules.append(LinearConstraint(np.hstack((*parts, slack)), low, high))
        orders = np.concatenate((np.zeros(2 * count), np.ones(2 * count), np.zeros(self._slacks)))
        return [*rules, LinearConstraint(orders[None, :], -np.inf, self._task.wishes.max_trades)]


def _edges(task: Task, rounding: Floats) -> tuple[Floats, Floats]:
    """The bands, drawn in by what rounding down to lots may cost, where they are wide enough for it."""
    inner = np.where(4.0 * rounding < task.bands, rounding, 0.0)
    return task.target - task.bands + inner, task.target + task.bands - inner


def _cash_edges(task: Task) -> tuple[float, float]:
    """Bounds of the change of cash."""
    target = 1.0 - float(task.target.sum())
    band = float(_band(np.array([target]), task.wishes.band_frac)[0])
    now = 1.0 - float(task.now.sum())
    return max(target - band, 0.0) - now, target + band - now


def _simple(task: Task) -> Floats:
    """The same without a program: each weight outside goes to its edge, sells first, cheapest place first."""
    amounts = np.zeros(len(task.places))
    cash = {venue: value / task.equity_usd for venue, value in task.cash_usd.items()}
    edge = np.clip(task.now, task.target - task.bands, task.target + task.bands)
    order = sorted(range(len(task.places)), key=lambda index: task.places[index].cost_frac)
    for selling in (True, False):
        for index in order:
            place = task.places[index]
            venue, i = place.spec.instrument.venue, task.assets.index(place.asset)
            same = [k for k, other in enumerate(task.places) if other.asset == place.asset]
            gap = float(edge[i] - task.now[i] - amounts[same].sum())
            if selling and gap < 0 and not task.wishes.buy_only:
                amounts[index] = -min(-gap, float(place.free) * place.unit_usd / task.equity_usd)
                cash[venue] = cash.get(venue, 0.0) - amounts[index] * (1.0 - place.cost_frac)
            elif not selling and gap > 0:
                amounts[index] = min(gap, max(cash.get(venue, 0.0), 0.0) / (1.0 + place.cost_frac))
                cash[venue] = cash.get(venue, 0.0) - amounts[index] * (1.0 + place.cost_frac)
    most = np.argsort(-np.abs(amounts), kind="stable")[task.wishes.max_trades :]
    amounts[most] = 0.0
    return amounts


def _finished(task: Task, amounts: Floats, *, greedy: bool) -> Plan:
    """Whole orders of the amounts, sells before buys, and a refusal for each weight that stays outside."""
    chosen: list[tuple[Place, Side, Decimal]] = []
    after = task.now.copy()
    cash = dict(task.cash_usd)
    moved = sorted(zip(task.places, amounts.tolist(), strict=True), key=_sells_first)
    for place, amount in moved:
        venue, side = place.spec.instrument.venue, _side(amount)
        usd = abs(amount) * task.equity_usd
        if side == "sell":
            quantity = min(_lots(place, usd), _lots(place, float(place.free) * place.unit_usd))
        else:  # sells may have been rounded down since
            quantity = _lots(place, min(usd, max(cash.get(venue, 0.0), 0.0) / (1.0 + place.cost_frac)))
        notional = float(quantity) * place.unit_usd
        if quantity <= 0 or notional < _least_usd(task, place) * (1 - 1e-9):
            continue
        sign = 1.0 if side == "buy" else -1.0
        cash[venue] = cash.get(venue, 0.0) - sign * notional - notional * place.cost_frac
        after[task.assets.index(place.asset)] += sign * notional / task.equity_usd
        chosen.append((place, side, quantity))
    lines = tuple(_line(task, after, *item) for item in chosen)
    return Plan(lines, after, _refusals(task, after, lines), greedy)


def _least_usd(task: Task, place: Place) -> float:
    """The smallest order there: the venue's and the owner's least."""
    return max(place.least_usd, task.wishes.min_trade_usd)


def _side(amount: float) -> Side:
    return "buy" if amount > 0 else "sell"


def _sells_first(item: tuple[Place, float]) -> tuple[bool, float, str]:
    """Sells before buys, the largest first."""
    place, amount = item
    return amount > 0, -abs(amount), str(place.spec.instrument)


def _lots(place: Place, usd: float) -> Decimal:
    lots = Decimal(usd / place.lot_usd + 1e-6).to_integral_value(ROUND_FLOOR)
    return lots * place.spec.lot


def _line(task: Task, after: Floats, place: Place, side: Side, quantity: Decimal) -> Line:
    i = task.assets.index(place.asset)
    before, end, target, band = (float(x[i]) for x in (task.now, after, task.target, task.bands))
    notional = float(quantity) * place.unit_usd
    told = "sold" if side == "sell" else "bought"
    outside = abs(before - target) > band
    why = "" if outside else " to bring cash into its band"
    return Line(
        place=place,
        side=side,
        quantity=quantity,
        notional_usd=notional,
        cost_usd=notional * place.cost_frac,
        before_frac=before,
        after_frac=end,
        target_frac=target,
        reason=f"{place.asset} is {before:.3f} of equity, its band {target - band:.3f}..{target + band:.3f}: {told}{why}.",
        priority="high" if notional / task.equity_usd > HIGH_FRAC else "normal",
    )


def _refusals(task: Task, after: Floats, lines: Sequence[Line]) -> tuple[Refusal, ...]:
    told: list[Refusal] = []
    for i, asset in enumerate(task.assets):
        over = abs(float(after[i] - task.target[i])) - float(task.bands[i])
        if over > 1e-9:
            told.append(_stuck(task, asset, float(after[i] - task.target[i]), over))
    gap = _cash_gap(task, after)
    paid = math.fsum(line.cost_usd for line in lines) / task.equity_usd
    if not told and abs(gap) > paid + 1e-9:
        words = f"Cash stays {abs(gap):.4f} {'above' if gap > 0 else 'below'} its band."
        told.append(Refusal("infeasible", {"constraint": "cash", "beyond_frac": gap}, words))
    return tuple(told)


def _stuck(task: Task, asset: str, drift: float, over: float) -> Refusal:
    places = [place for place in task.places if place.asset == asset]
    if not places:
        return Refusal("no_instrument", {"asset": asset}, f"No instrument trades {asset} against cash here.")
    need = min(_least_usd(task, place) for place in places)
    band = float(task.bands[task.assets.index(asset)])
    most = over + 2.0 * band  # an order above this would leave the band on the other side
    if drift > 0:
        held = math.fsum(float(place.free) * place.unit_usd for place in places)
        most = min(most, held / task.equity_usd)
    if most * task.equity_usd < need:
        have = most * task.equity_usd
        facts: dict[str, float | str] = {"asset": asset, "have_usd": have, "need_usd": need}
        return Refusal(
            "below_min_notional", facts, f"{asset}: an order of {have:.2f} USD is under {need:.2f}."
        )
    limits: dict[str, float | str] = {"constraint": "band", "asset": asset, "beyond_frac": over}
    words = f"{asset} stays {over:.4f} outside its band: free balances, cash at the venue or the number of orders allow no more."
    return Refusal("infeasible", limits, words)
