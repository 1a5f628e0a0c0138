"""Views as bytes and back: nothing is lost, closed bars are shared, and damage is an error of ours."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from sextant.errors import InputError
from sextant.evidence.events import EventTable
from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.times import MINUTE_NS
from sextant.model.view import (
    MINUTE_FIELDS,
    LiquidationTape,
    MinuteFrame,
    Series,
    View,
    minute_digest,
)
from sextant.model.view_pack import BLOCK_ROWS, pack_arrays, pack_view, unpack_arrays, unpack_view
from sextant.venues.packs import bar_pack_events
from support.evidence import Plan, planned_events, walked_bars
from support.markets import known_at, momentum_market
from support.option_markets import straddle_market
from support.views import empty_view


class Kept(dict[str, bytes]):
    """Blocks by key; counts how many were made."""

    made = 0

    def put(self, key: str, make: object) -> None:
        assert callable(make)
        if key not in self:
            self[key] = make()
            self.made += 1


def with_history(view: View) -> View:
    series = Series(np.array([1, 2], dtype=np.int64), np.array([0.0001, np.nan]))
    forced = LiquidationTape(
        np.array([3], dtype=np.int64), np.array([99.0]), np.array([2.0]), np.array([-1.0])
    )
    return dataclasses.replace(
        view,
        funding_history={view.instruments[1].instrument: series},
        liquidations={view.instruments[0].instrument: forced},
    )


@pytest.mark.parametrize(
    "view",
    [momentum_market(), with_history(momentum_market()), straddle_market(), empty_view("BTC"), empty_view()],
)
def test_a_view_comes_back_to_the_letter(view: View) -> None:
    kept = Kept()
    again = unpack_view(pack_view(view, kept.put), kept.__getitem__)
    assert again.content_hash == view.content_hash
    assert again.instruments == view.instruments
    assert again.bars.keys() == view.bars.keys()
    for interval, frame in view.bars.items():
        assert again.bars[interval].row_digests == frame.row_digests
        assert not again.bars[interval].close.flags.writeable


def test_a_view_one_bar_younger_shares_all_blocks_but_the_newest() -> None:
    view = momentum_market()
    [frame] = view.bars.values()
    assert frame.rows > 2 * BLOCK_ROWS
    earlier, kept = known_at(view, int(frame.open_ns[-1])), Kept()
    pack_view(earlier, kept.put)
    before = kept.made
    pack_view(view, kept.put)
    assert kept.made == before + 1
    pack_view(view, kept.put)
    assert kept.made == before + 1


def test_damage_is_told_and_never_read_as_a_market() -> None:
    kept = Kept()
    view = momentum_market()
    packed = pack_view(view, kept.put)
    with pytest.raises(InputError, match="no stored view"):
        unpack_view(packed[:-7], kept.__getitem__)
    with pytest.raises(InputError, match="no stored view"):
        unpack_view(packed, Kept().__getitem__)
    first, second = list(kept)[:2]
    swapped = Kept(kept)
    swapped[first] = kept[second]
    with pytest.raises(InputError):
        unpack_view(packed, swapped.__getitem__)


def test_a_table_of_events_comes_back_to_the_letter() -> None:
    frame = walked_bars((100.0, 100.5, 99.5, 100.0), (100.0, 112.0, 99.0, 111.0))
    table = planned_events(frame, Plan((0,), 1, 90.0, 110.0, 1))
    again = unpack_arrays(pack_arrays(table), EventTable)
    assert again.content_hash == table.content_hash
    for item in dataclasses.fields(table):
        was, now = getattr(table, item.name), getattr(again, item.name)
        assert np.array_equal(was, now) if isinstance(was, np.ndarray) else was == now
    with pytest.raises(InputError, match="no stored EventTable"):
        unpack_arrays(b"nothing", EventTable)


@pytest.mark.data
def test_a_real_market_comes_back_to_the_letter(data_dir: Path) -> None:
    pack = bar_pack_events(data_dir / "ohlcv" / "binance_spot_5m_12symbols_2024.parquet")
    state = MarketState("replay", simulated=False)
    ingest(state, pack.events)
    view, kept = state.view(pack.period[1]), Kept()
    assert unpack_view(pack_view(view, kept.put), kept.__getitem__).content_hash == view.content_hash


def with_minutes(view: View, rows: int) -> View:
    """The view with some minutes in parts of 64 rows."""
    rng = np.random.default_rng(rows)
    whole = np.random.default_rng(1).uniform(0, 1, (len(MINUTE_FIELDS), 128, view.size)).astype(np.float32)
    whole[:, rng.integers(0, 64)] = np.nan
    parts = tuple(part for part in (whole[:, :64], whole[:, 64:rows]) if part.shape[1])
    open_ns = (29_000_000 + np.arange(rows)) * MINUTE_NS
    digests = b"".join(minute_digest(int(at), whole[:, row]) for row, at in enumerate(open_ns))
    return dataclasses.replace(view, minutes=MinuteFrame(open_ns, parts, digests))


def test_minutes_come_back_to_the_letter() -> None:
    view, kept = with_minutes(empty_view("BTC", "ETH"), 100), Kept()
    again = unpack_view(pack_view(view, kept.put), kept.__getitem__)
    assert again.content_hash == view.content_hash != empty_view("BTC", "ETH").content_hash
    assert view.minutes is not None
    assert again.minutes is not None
    assert again.minutes.open_ns.tolist() == view.minutes.open_ns.tolist()
    for name in MINUTE_FIELDS:
        assert np.array_equal(again.minutes.column(name), view.minutes.column(name), equal_nan=True)


def test_damaged_minutes_are_told() -> None:
    view, kept = with_minutes(empty_view("BTC"), 70), Kept()
    packed = pack_view(view, kept.put)
    one, other = (key for key in kept)
    kept[one], kept[other] = kept[other], kept[one]
    with pytest.raises(InputError):
        unpack_view(packed, kept.__getitem__)
