"""Routes of the catalogue: what each strategy reads, what it has earned, and how it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from sextant.api.endpoint import Call, Endpoint, NoBody
from sextant.api.opportunity_wire import percent
from sextant.api.scan_wire import BASE
from sextant.api.strategy_schemas import (
    DecayBody,
    LastRunBody,
    NeedsBody,
    ParameterBody,
    ReliabilityBody,
    ScorecardBody,
    StrategiesAnswer,
    StrategiesQuery,
    StrategyAnswer,
    StrategyQuery,
    StrategyRow,
    Window,
)
from sextant.api.times import time_field
from sextant.errors import Expired, InputError, NotFound
from sextant.kit.clock import Clock
from sextant.model.scorecard import Scorecard
from sextant.model.times import DAY_NS, INTERVAL_NS, iso_ms
from sextant.scans.lifecycle import Scans
from sextant.scans.scoreboard import Score, Scoreboard
from sextant.scans.strategy_runs import LastRun, StrategyRuns
from sextant.strategies.contract import Strategy
from sextant.vault.users import Users

_DAYS: Final[Mapping[Window, int]] = {"30d": 30, "90d": 90, "365d": 365}
_ELSEWHERE: Final = "This server runs no scans; it does not know the past of strategies."


class StrategyRoutes:
    """Lists the catalogue and tells about one strategy.

    Parameters
    ----------
    scans, runs, users
        Front doors of the rooms.
    board
        The newest scores; None in a process that has no market of its own.
    clock
        Gives ages and windows.
    """

    def __init__(
        self, rooms: tuple[Scans, StrategyRuns, Users], board: Scoreboard | None, clock: Clock
    ) -> None:
        self._scans, self._runs, self._users = rooms
        self._board = board
        self._clock = clock

    async def list(self, call: Call[NoBody, StrategiesQuery]) -> StrategiesAnswer:
        """Every strategy there is, or only those granted or not granted to the caller."""
        grants = await self._users.grants(call.user_id)
        rows = [
            _row(strategy, self._newest(strategy), granted=name in grants)
            for name, strategy in self._scans.catalogue.items()
            if call.query.granted in (None, name in grants)
        ]
        return StrategiesAnswer(rows)

    async def read(self, call: Call[NoBody, StrategyQuery]) -> StrategyAnswer:
        """One strategy over a window of its past."""
        strategy = self._scans.catalogue.get(call.path["strategy_id"])
        if strategy is None:
            raise NotFound(f"There is no strategy '{call.path['strategy_id']}'.")
        now_ns = self._clock.now_ns()
        _refuse_past(time_field(call.query.as_of, "as_of"), now_ns)
        window_ns = _DAYS[call.query.window] * DAY_NS
        found = (
            None if self._board is None else await asyncio.to_thread(self._board.over, strategy, window_ns)
        )
        grants = await self._users.grants(call.user_id)
        runs = await self._runs.of(call.user_id, strategy.id)
        both = None if found is None else found.both
        feed, simulated = self._scans.feed
        return StrategyAnswer(
            strategy=_row(strategy, found or self._newest(strategy), granted=strategy.id in grants),
            window=call.query.window,
            long=_card(found, None if found is None else found.long),
            short=_card(found, None if found is None else found.short),
            reliability=_reliability(both),
            brier=None if both is None else both.brier,
            log_loss=None if both is None else both.log_loss,
            decay=_decay(found),
            outcome_rates={name: count / runs.count for name, count in sorted(runs.outcomes.items())},
            runs_count=runs.count,
            last_run=None if runs.last is None else _last_run(runs.last),
            as_of=None if found is None else iso_ms(found.as_of_ns),
            age_s=None if found is None else max(0.0, (now_ns - found.as_of_ns) / 1e9),
            feed=feed,
            simulated=simulated,
        )

    def _newest(self, strategy: Strategy) -> Score | None:
        return None if self._board is None else self._board.newest(strategy.id)

    def endpoints(self) -> Sequence[Endpoint]:
        """The rows of api.md 3.3 about strategies."""
        return (
            Endpoint(
                method="GET",
                path=f"{BASE}/strategies",
                name="strategies_list",
                summary="Every strategy, what it reads and what it has earned",
                access=("market:read",),
                handler=self.list,
                query=StrategiesQuery,
                answer=StrategiesAnswer,
                proof=("A26",),
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/strategies/{{strategy_id}}",
                name="strategies_read",
                summary="One strategy: scorecard, reliability, decay, and how it has ended",
                access=("market:read",),
                handler=self.read,
                query=StrategyQuery,
                answer=StrategyAnswer,
                errors=(410,),
                proof=("A25", "A26"),
            ),
        )


def _refuse_past(as_of_ns: int | None, now_ns: int) -> None:
    """Scores of the past are not kept: only now can be asked for.

    Raises
    ------
    InputError
        If the time lies ahead.
    Expired
        If it lies behind.
    """
    if as_of_ns is None:
        return
    if as_of_ns > now_ns:
        raise InputError("as_of is in the future.", reason="out_of_range", field="as_of")
    if as_of_ns < now_ns - INTERVAL_NS["1m"]:
        raise Expired("Scores of strategies are kept for the newest minute only.", reason="as_of_too_old")


def _row(strategy: Strategy, found: Score | None, *, granted: bool) -> StrategyRow:
    needs = strategy.needs
    lookbacks = [need.rows * INTERVAL_NS[need.interval] / 1e9 for need in needs if need.interval is not None]
    return StrategyRow(
        strategy_id=strategy.id,
        name=strategy.name,
        category=strategy.category,
        tier=strategy.tier,
        min_capital_usd=strategy.min_capital_usd,
        types=[strategy.opportunity_type],
        granted=granted,
        needs=NeedsBody(
            columns=list(dict.fromkeys(need.column for need in needs)),
            lookback_s=max(lookbacks, default=0.0),
            greatest_age_s=min((need.greatest_age_s for need in needs), default=0.0),
        ),
        cost_class=strategy.cost_class,
        parameters=[
            ParameterBody(param.name, param.default, param.low, param.high, param.unit)
            for param in strategy.params
        ],
        known_gaps=list(strategy.known_gaps),
        references=list(strategy.references),
        scorecard=_card(found, None if found is None else found.both),
    )


def _card(found: Score | None, card: Scorecard | None) -> ScorecardBody:
    if card is None:
        return ScorecardBody(
            state="unknown" if found is None else "silent",
            reason=_ELSEWHERE if found is None else found.reason,
            n=0,
            n_independent=0.0,
            hit_rate_pct=None,
            interval_pct=None,
            gross_mean_bps=None,
            mean_net_bps=None,
            net_interval_bps=None,
            grade="unproven",
            live_count=0,
            live_hit_rate_pct=None,
        )
    return ScorecardBody(
        state="scored" if card.status == "scored" else "insufficient_history",
        reason=card.reason,
        n=card.n,
        n_independent=card.n_eff,
        hit_rate_pct=percent(card.hit_frac),
        interval_pct=_pair(percent(card.hit_low_frac), percent(card.hit_high_frac)),
        gross_mean_bps=card.gross_mean_bps,
        mean_net_bps=card.expectancy_bps,
        net_interval_bps=_pair(card.expectancy_low_bps, card.expectancy_high_bps),
        grade=card.grade,
        live_count=card.live_count,
        live_hit_rate_pct=percent(card.live_hit_frac),
    )


def _pair(low: float | None, high: float | None) -> list[float] | None:
    return None if low is None or high is None else [low, high]


def _reliability(card: Scorecard | None) -> list[ReliabilityBody]:
    rows = () if card is None else card.reliability
    return [
        ReliabilityBody(
            row.bucket_low,
            row.bucket_high,
            row.n,
            100.0 * row.stated_frac,
            100.0 * row.observed_frac,
            [100.0 * row.low_frac, 100.0 * row.high_frac],
        )
        for row in rows
    ]


def _decay(found: Score | None) -> DecayBody:
    if found is None or found.decay is None:
        return DecayBody("unknown", None, None)
    return DecayBody(found.decay.state, found.decay.mean_recent_bps, found.decay.mean_before_bps)


def _last_run(last: LastRun) -> LastRunBody:
    report = last.report
    return LastRunBody(
        last.scan_id,
        iso_ms(last.started_ns),
        str(report.outcome),
        report.reason,
        report.opportunities,
        report.execution_ms,
    )
