"""What strategies propose in known markets, through the pipeline that scans use."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np

from sextant.model.account import Account, FeeTier
from sextant.model.instrument import Instrument
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.scorecard import Scorecard
from sextant.model.times import HOUR_NS
from sextant.model.view import View
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.propose import judge
from support.cards import UNPROVEN
from support.markets import bars_of, framed, specs_of, view_of

RICH = Account(equity_usd=100_000.0, coverage_frac=1.0, free_usd={"binance": 100_000.0})
NOTHING = CostAssumptions()
BREAKOUT = "ai_spot_breakout_strategy"


def run(
    name: str, view: View, card: Scorecard = UNPROVEN, account: Account = RICH, **params: float
) -> tuple[list[Opportunity], list[Disposition]]:
    """Opportunities and dispositions of a strategy in a market."""
    chosen = strategy(name)
    verdict = chosen.evaluate(view, chosen.defaults(**params), Columns(view))
    rows, dispositions = judge(chosen, verdict, lambda *_: card, Pricing(view, account, NOTHING))
    return rows, list(dispositions)


def only(view: View, card: Scorecard = UNPROVEN, account: Account = RICH) -> Opportunity:
    """The one opportunity of the breakout strategy."""
    rows, _ = run(BREAKOUT, view, card, account)
    (row,) = rows
    return row


def answer(view: View, card: Scorecard = UNPROVEN, account: Account = RICH) -> Disposition:
    """What the breakout strategy says of the first instrument."""
    return run(BREAKOUT, view, card, account)[1][0]


def paying(taker_bps: float) -> Account:
    """The rich account at a tier of its own."""
    tier = FeeTier(
        "binance", "spot", "own", taker_bps, taker_bps, assumed=False, source="venue", read_on="2026-01-01"
    )
    return msgspec.structs.replace(RICH, fees={"binance:spot": tier})


def mirrored(view: View, *, perpetual: bool) -> View:
    """The breakout market upside down, with a perpetual of the same base beside it if wanted."""
    frame = view.bars["1h"]
    fields = {name: getattr(frame, name).copy() for name in ("open", "high", "low", "close")}
    fields = {name: 10_000.0 / column for name, column in fields.items()}
    fields["high"], fields["low"] = fields["low"], fields["high"]
    fields |= {"volume": frame.quote_volume / fields["close"], "quote_volume": frame.quote_volume}
    specs = specs_of(1)
    if perpetual:
        still = bars_of(np.full(frame.close.shape, 200.0))
        fields = {name: np.hstack((column, still[name])) for name, column in fields.items()}
        specs += (
            msgspec.structs.replace(specs[0], instrument=Instrument("binance", "C000", "USDT", "perpetual")),
        )
    made = view_of(framed("1h", fields), specs)
    if not perpetual:
        return made
    facts = dataclasses.replace(
        made.derivatives,
        funding_rate=np.array([np.nan, 0.0001]),
        funding_interval_s=np.array([np.nan, 28_800.0]),
        next_funding_ns=np.array([0, made.as_of_ns + HOUR_NS]),
    )
    return dataclasses.replace(made, derivatives=facts)
