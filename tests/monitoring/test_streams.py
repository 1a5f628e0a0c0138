from __future__ import annotations

from sextant.kit.clock import ManualClock
from sextant.kit.metrics import Metrics
from sextant.market.streams import Losses, StreamSum
from sextant.monitoring.streams import add_stream_gauges


async def test_streams_are_figures_by_venue_and_kind_and_never_by_instrument() -> None:
    metrics = Metrics(ManualClock())
    row = StreamSum(
        venue="kraken",
        stream="book",
        counts={"live": 7, "stale": 2},
        since_ns=5,
        reason="silent",
        youngest_ns=1,
        lost=Losses(gaps=3, resyncs=4, losses=5),
    )
    add_stream_gauges(metrics, lambda: [row])
    text = (await metrics.render()).decode()
    assert 'sextant_streams{state="live",stream="book",venue="kraken"} 7.0' in text
    assert 'sextant_streams{state="stale",stream="book",venue="kraken"} 2.0' in text
    assert 'sextant_stream_gaps{stream="book",venue="kraken"} 3.0' in text
    assert 'sextant_stream_resyncs{stream="book",venue="kraken"} 4.0' in text
    assert 'sextant_stream_losses{stream="book",venue="kraken"} 5.0' in text
    assert "instrument=" not in text
