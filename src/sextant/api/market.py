"""Routes of the whole market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from itertools import islice

from sextant.api.confluence_schemas import BreakdownQuery
from sextant.api.confluence_wire import fact_body
from sextant.api.endpoint import Answer, Call, Endpoint, NoBody
from sextant.api.market_schemas import (
    BreadthBody,
    MoverBody,
    MoversBody,
    OverviewAnswer,
    PerpetualsBody,
    RegimeBody,
    RegimeInput,
    RiskBody,
    RiskRow,
    StreamCounts,
)
from sextant.api.opportunity_wire import age_s
from sextant.api.scan_wire import BASE
from sextant.api.times import time_field
from sextant.confluence.detectors import Fact
from sextant.confluence.market_wide import Pulse
from sextant.errors import Stale
from sextant.kit.clock import Clock
from sextant.model.times import iso_ms
from sextant.scans.overview import MOVERS, Mover, Overview
from sextant.scans.scoring import Scored, Scoring


class MarketRoutes:
    """Tells the market in one picture.

    Parameters
    ----------
    scoring
        Front door of the room; None in a process that has no market of its own.
    clock
        Gives ages.
    """

    def __init__(self, scoring: Scoring | None, clock: Clock) -> None:
        self._scoring = scoring
        self._clock = clock

    async def overview(self, call: Call[NoBody, BreakdownQuery]) -> Answer:
        """Breadth, dispersion, regime, movers and the state of the streams."""
        if self._scoring is None:
            raise Stale("This server has no market of its own; ask one that runs scans.", reason="feed_stale")
        scored = self._scoring.newest(time_field(call.query.as_of, "as_of"))
        if scored.overview is None:
            raise Stale("The picture of the market is being made.", reason="feed_stale")
        headers = {} if call.query.as_of is None else {"Sextant-As-Of": iso_ms(scored.evaluation.as_of_ns)}
        facts = self._scoring.facts_of(None) if call.query.as_of is None else ()
        body = overview_body(scored, scored.overview, self._clock.now_ns(), facts)
        return Answer(body, headers=headers)

    def endpoints(self) -> Sequence[Endpoint]:
        """The rows of api.md 3.3 about the whole market."""
        return (
            Endpoint(
                method="GET",
                path=f"{BASE}/market/overview",
                name="market_overview",
                summary="Breadth, dispersion, regime, movers and the state of the streams",
                access=("market:read",),
                handler=self.overview,
                query=BreakdownQuery,
                answer=OverviewAnswer,
                errors=(410,),
                proof=("A25", "A35"),
            ),
        )


def overview_body(scored: Scored, one: Overview, now_ns: int, facts: Sequence[Fact] = ()) -> OverviewAnswer:
    """The picture as the API shows it, with what is the case with the whole market."""
    as_of_ns = int(scored.evaluation.history.close_ns[-1])
    inputs = [RegimeInput(name=item.name, value=getattr(one.mood, item.name)) for item in fields(one.mood)]
    known = sum(item.value is not None for item in inputs)
    return OverviewAnswer(
        regime=RegimeBody(
            label=one.held.label,
            since=None if one.held.label == "unknown" else iso_ms(one.held.since_ns),
            coverage=known / len(inputs),
            inputs=inputs,
        ),
        breadth=BreadthBody(
            up_1h_frac=one.up_1h.frac,
            up_24h_frac=one.up_24h.frac,
            up_24h_by_turnover_frac=one.up_24h_by_turnover.frac,
            above_day_vwap_frac=one.above_day_vwap.frac,
            highs_minus_lows_count=one.highs_minus_lows,
            n=one.up_24h.n,
            universe=one.up_24h.of,
        ),
        movers=MoversBody(
            up=[_mover(item) for item in one.up],
            down=[_mover(item) for item in one.down],
            volume=[_mover(item) for item in one.volume],
        ),
        perpetuals=_perpetuals(one.perpetuals),
        liquidation_risk=RiskBody(
            rows=[
                RiskRow(instrument=str(name), rank_frac=rank)
                for name, rank in islice(one.risk.items(), MOVERS)
            ],
            n=len(one.risk),
        ),
        facts=[fact_body(fact) for fact in facts],
        dispersion_frac=one.apart.frac,
        volatility_annual_frac=one.volatility_annual,
        streams=StreamCounts(**one.streams),
        as_of=iso_ms(as_of_ns),
        age_s=age_s(as_of_ns, now_ns),
        feed=scored.feed,
        simulated=scored.simulated,
    )


def _perpetuals(paid: Pulse) -> PerpetualsBody:
    figures = {
        "funding_8h_weighted_frac": paid.f8_weighted,
        "funding_8h_median_frac": paid.f8_median,
        "funding_positive_frac": paid.f8_positive,
        "open_interest_usd": paid.open_interest_usd,
        "open_interest_change_24h_frac": paid.open_interest_change,
        "basis_median_frac": paid.basis_median,
        "long_share_weighted_frac": paid.long_share_weighted,
        "liquidated_long_24h_usd": paid.closed_long_usd,
        "liquidated_short_24h_usd": paid.closed_short_usd,
    }
    return PerpetualsBody(
        **{name: share.frac for name, share in figures.items()},
        known={name: share.n for name, share in figures.items()},
        count=paid.f8_median.of,
    )


def _mover(item: Mover) -> MoverBody:
    return MoverBody(
        instrument=str(item.instrument),
        change_24h_frac=item.return_24h_frac,
        volume_24h_usd=item.volume_24h,
    )
