from __future__ import annotations

import numpy as np

from sextant.market.state import MarketState
from sextant.model.events import StreamAlive
from sextant.model.times import SECOND_NS
from sextant.scans.beside import beside
from support.market import NOW_NS, delta, instrument, listed, snapshot


def test_books_say_why_they_are_not_believed() -> None:
    state = MarketState("live", simulated=False)
    for event in (listed("BTC"), listed("ETH"), snapshot(5, [(100.0, 1.0)], [(101.0, 1.0)])):
        state.apply(event)
    assert beside(state, state.view(NOW_NS)).book_reasons == ("", "no_snapshot")
    state.apply(delta(9))
    assert beside(state, state.view(NOW_NS)).book_reasons == ("gap", "no_snapshot")


def test_a_quiet_stream_is_as_old_as_the_last_word_on_its_connection() -> None:
    """Between two minutes the age at the close would grow although the connection answers."""
    state = MarketState("live", simulated=False)
    for event in (listed("BTC"), listed("ETH")):
        state.apply(event)
    alive = StreamAlive((instrument("BTC"),), ("liquidations",), NOW_NS, NOW_NS)
    state.apply(alive)
    age = beside(state, state.view(NOW_NS + 20 * SECOND_NS)).ages["liquidations"]
    assert age[0] == 20.0
    assert np.isnan(age[1])
