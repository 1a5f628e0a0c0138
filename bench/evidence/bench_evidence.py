"""Evidence of all bar strategies over 136 recorded instruments x 6,000 hourly bars, and one user's cards over it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from harness import data_dir, summary, tell, times_ms
from sextant.evidence.events import EventTable, event_table
from sextant.evidence.scorecard import Scorer
from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.scorecard import Scorecard
from sextant.model.times import parse_time_ns
from sextant.model.view import View
from sextant.strategies.catalog import strategies
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Strategy, Verdict
from sextant.venues.packs import bar_pack_events

ROWS = 6_000
AS_OF = "2024-09-08T00:00Z"
COST_BPS = 24.0  # two taker fees of 10 and a spread of 4, as strategies.md 2.10 assumes


def recorded_view(folder: Path) -> View:
    state = MarketState("replay", simulated=False, keep_rows={"1h": ROWS, "4h": ROWS // 4})
    as_of_ns = parse_time_ns(AS_OF)
    pack = folder / "ohlcv" / "binance_spot_1h_136symbols_2024.parquet"
    ingest(state, bar_pack_events(pack, until_ns=as_of_ns).events)
    return state.view(as_of_ns)


def said(view: View) -> list[tuple[Strategy, Verdict]]:
    columns = Columns(view)
    plugins = [plugin for plugin in strategies().values() if plugin.evidence_kind == "bars"]
    verdicts = [(plugin, plugin.evaluate(view, plugin.defaults(), columns)) for plugin in plugins]
    return [(plugin, verdict) for plugin, verdict in verdicts if verdict.skipped is None]


def tables(view: View, verdicts: list[tuple[Strategy, Verdict]]) -> list[EventTable]:
    return [event_table(plugin.id, plugin.defaults(), verdict, view) for plugin, verdict in verdicts]


def cards(found: list[EventTable], size: int) -> list[Scorecard]:
    costs = np.full(size, COST_BPS)
    return [
        card
        for table in found
        for scorer in (Scorer(table, costs),)
        for card in (scorer.card(0, 1, 1.2), scorer.card(1, -1, 1.2), scorer.summary())
    ]


def main() -> None:
    folder = data_dir()
    if folder is None:
        print("recorded market data absent: nothing measured")
        return
    view = recorded_view(folder)
    assert view.bars["1h"].close.shape == (ROWS, 136)
    verdicts = said(view)
    found = tables(view, verdicts)
    assert all(table.count > 100 for table in found)
    for table in found:
        whole = Scorer(table, np.full(view.size, COST_BPS))
        for side, name in ((1, "long"), (-1, "short")):
            card = whole.summary(side)
            if card.expectancy_bps is not None and card.gross_se_bps is not None:
                print(
                    f"  {table.strategy_id} {name}: n {card.n}, n_eff {card.n_eff:.0f}, "
                    f"net {card.expectancy_bps:+.0f} +- {card.gross_se_bps:.0f} bps, grade {card.grade}"
                )
    everything = summary(times_ms(lambda: cards(tables(view, said(view)), view.size), runs=5))
    events = summary(times_ms(lambda: tables(view, verdicts)))
    user = summary(times_ms(lambda: cards(found, view.size)))
    tell(
        "evidence.bars_136",
        {
            "strategies": float(len(found)),
            "instruments": float(view.size),
            "rows": float(ROWS),
            "events": float(sum(table.count for table in found)),
            "bars_to_scorecards_ms": everything["median"],
            "bars_to_scorecards_p95_ms": everything["p95"],
            "runs": everything["n"],
            "events_only_ms": events["median"],
            "further_user_ms": user["median"],
            "further_user_p95_ms": user["p95"],
        },
    )


if __name__ == "__main__":
    main()
