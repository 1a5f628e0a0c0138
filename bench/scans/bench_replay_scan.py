"""136 recorded instruments x 1,440 hourly bars, three strategies with evidence: view to ranked result."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import data_dir, summary, tell, times_ms
from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.account import Account
from sextant.model.times import parse_time_ns
from sextant.model.view import View
from sextant.scans.offline import Question, scan_view
from sextant.scans.records import ScanRequest
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from sextant.venues.packs import bar_pack_events

ROWS = 1_440
AS_OF = "2024-09-06T04:00Z"
STRATEGIES = ("ai_spot_momentum_strategy", "ai_spot_mean_reversion", "ai_spot_breakout_strategy")


def recorded_view(folder: Path) -> View:
    """The 136 instruments as of the bench's instant."""
    state = MarketState("replay", simulated=False, keep_rows={"1h": ROWS})
    ingest(
        state,
        bar_pack_events(
            folder / "ohlcv" / "binance_spot_1h_136symbols_2024.parquet", until_ns=parse_time_ns(AS_OF)
        ).events,
    )
    return state.view(parse_time_ns(AS_OF))


def main() -> None:
    folder = data_dir()
    if folder is None:
        print("recorded market data absent: nothing measured")
        return
    view = recorded_view(folder)
    assert view.bars["1h"].rows == ROWS
    question = Question(ScanRequest(strategy_ids=STRATEGIES), Account(), strategies(), "bench")
    assumptions = CostAssumptions(spread_bps_assumed=5.0)

    def scan() -> int:
        results, coverage = scan_view(MarketPart(view, assumptions, EvidenceShelf()), question)
        assert len(coverage.candidates) == view.size * len(STRATEGIES)
        return len(results.found)

    found = scan()
    spent = summary(times_ms(scan))
    shelf = EvidenceShelf()
    known = summary(times_ms(lambda: scan_view(MarketPart(view, assumptions, shelf), question)))
    tell(
        "scans.replay_136",
        {
            "instruments": float(view.size),
            "rows": float(ROWS),
            "found": float(found),
            "view_to_ranked_ms": spent["median"],
            "view_to_ranked_p95_ms": spent["p95"],
            "evidence_kept_ms": known["median"],
        },
    )


if __name__ == "__main__":
    main()
