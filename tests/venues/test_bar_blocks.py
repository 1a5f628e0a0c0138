from __future__ import annotations

import numpy as np
import pytest

from sextant.errors import WireError
from sextant.model.times import MINUTE_NS
from sextant.venues.bar_blocks import Past, bar_block, table_of
from support.listings import BTC

PAST = Past("Venue bars", BTC.instrument, "1m", answered_ns=3 * MINUTE_NS, receive_ns=9)
NAMES = ("open", "high", "low", "close", "volume")


def columns(*rows: tuple[float, ...]) -> dict[str, np.ndarray]:
    table = table_of(rows, 5)
    return {name: table[:, at] for at, name in enumerate(NAMES)}


def test_a_bar_that_ends_after_the_answer_is_left_out_and_what_is_not_said_is_nan() -> None:
    open_ns = np.arange(1, 4, dtype=np.int64) * MINUTE_NS
    block = bar_block(PAST, open_ns, columns(*[(1.0, 3.0, 1.0, 2.0, 5.0)] * 3))
    assert block.open_ns.tolist() == [MINUTE_NS, 2 * MINUTE_NS]
    assert (block.close.tolist(), block.event_ns, block.receive_ns) == ([[2.0], [2.0]], 3 * MINUTE_NS, 9)
    assert np.isnan(block.quote_volume).all()
    assert np.isnan(block.taker_buy_volume).all()


@pytest.mark.parametrize(
    ("row", "opens"),
    [
        ((1.0, 1.5, 1.0, 2.0, 5.0), [1]),
        ((1.0, 3.0, 1.5, 2.0, 5.0), [1]),
        ((1.0, 3.0, 1.0, 2.0, 5.0), [2, 1]),
    ],
)
def test_what_no_market_can_have_traded_is_refused(row: tuple[float, ...], opens: list[int]) -> None:
    open_ns = np.array(opens, dtype=np.int64) * MINUTE_NS
    with pytest.raises(WireError, match=r"^Venue bars: "):
        bar_block(PAST, open_ns, columns(*[row] * len(opens)))


def test_no_rows_are_an_empty_block() -> None:
    assert len(bar_block(PAST, np.array([], dtype=np.int64), columns()).open_ns) == 0
