"""The columns of a view as the programs read them: bars by frame, the grid of open interest, and facts of the newest row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sextant.confluence.contract import Stream
from sextant.confluence.nodes import INTERVAL_OF, Frame
from sextant.confluence.passport import LEAST_VENUES, VENUE_AGE_S
from sextant.confluence.program import Block
from sextant.errors import Insufficient
from sextant.model.bar import Floats, Integers
from sextant.model.instrument import STABLE_ASSETS, Instrument, InstrumentSpec
from sextant.model.times import DAY_NS, INTERVAL_NS, MINUTE_NS, SECOND_NS
from sextant.model.view import Flags, Series, View

BAR_FRAMES: Final[tuple[Frame, ...]] = ("4h", "30m", "5m", "1m")
"""Longest first: a row of 1m sees rows of the others."""

LEADER: Final = "BTC"
_DOLLARS: Final = ("USDT", "USDC", "USD")

_MINUTES: Final = (
    "buy_turnover",
    "sell_turnover",
    "buy_count",
    "sell_count",
    "large_buy",
    "large_sell",
    "seen_volume",
    "book_samples",
    "book_age_s",
    "spread_bps",
    "touch_imbalance",
    "top_imbalance",
    "depth_imbalance",
    "bid_usd_25",
    "ask_usd_25",
    "band_imbalance_50",
    "impact_asymmetry",
    "ofi_5",
    "withdrawn_bid_usd",
    "withdrawn_ask_usd",
    "root_long",
    "root_short",
    "liquidations_age_s",
)
"""Fields of the minutes that some program reads."""

_BARS: Final = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume")


@dataclass(frozen=True, eq=False)
class Extra:
    """Columns of 1m and of the grid in place of those that the view holds, and what a view does not say.

    Parameters
    ----------
    minutes
        float64 (T, S) by name, on the rows of the view's 1m frame.
    grid
        ``long_share`` by instrument.
    ages
        Seconds since a stream was last heard, (S,), where that is known between two minutes; NaN where never.
    book_reasons
        Why the book of each instrument is not believed, empty where it is; nothing where nobody says.
    spoofed
        bool (S,): whether levels of its book are suspected to be shown and not meant; None where nobody looks.
    """

    minutes: Mapping[str, Floats] = field(default_factory=dict)
    grid: Mapping[str, Mapping[Instrument, Series]] = field(default_factory=dict)
    ages: Mapping[Stream, Floats] = field(default_factory=dict)
    book_reasons: Sequence[str] = ()
    spoofed: Flags | None = None


NOTHING_MORE: Final = Extra()


def blocks(
    view: View, extra: Extra = NOTHING_MORE, after_ns: Mapping[Frame, int] | None = None
) -> dict[Frame, Block]:
    """The closed rows of a view by frame, and the whole grid.

    Parameters
    ----------
    after_ns
        By frame, the open time after which rows are wanted; all where none is stated.

    Raises
    ------
    Insufficient
        If the view holds no minute.
    """
    minutes = view.bars.get("1m")
    if minutes is None or not minutes.rows:
        raise Insufficient("Confluence needs bars of 1m; the view holds none.", reason="too_little_history")
    found: dict[Frame, Block] = {}
    for frame in BAR_FRAMES:
        bars = view.bars.get(INTERVAL_OF[frame])
        if bars is not None and bars.rows:
            first = int(np.searchsorted(bars.open_ns, (after_ns or {}).get(frame, -1), side="right"))
            columns = {name: getattr(bars, name)[first:] for name in _BARS}
            if frame == "1m":
                columns |= _newest(view, bars.rows - first)
                columns |= _beside(view, bars.open_ns[first:])
                columns |= {name: column[first:] for name, column in extra.minutes.items()}
            found[frame] = Block(bars.open_ns[first:], columns)
    leader, eligible = _leader(view.instruments), _eligible(view.instruments)
    for frame, block in found.items():
        rows = len(block.open_ns)
        same = {
            "leader": np.broadcast_to(leader, (rows, view.size)),
            "eligible": np.broadcast_to(eligible, (rows, view.size)),
            "day_row": _day_row(block, frame),
        }
        found[frame] = Block(block.open_ns, {**block.columns, **same})
    histories = {"open_interest": view.open_interest_history}
    if view.long_share_history:
        histories["long_share"] = view.long_share_history
    found["grid"] = grid(view, {**histories, **extra.grid})
    return found


def _day_row(block: Block, frame: Frame) -> Floats:
    rows = block.open_ns % DAY_NS // INTERVAL_NS[INTERVAL_OF[frame]]
    out: Floats = rows.astype(np.float64)[:, None]
    return out


def _leader(specs: tuple[InstrumentSpec, ...]) -> Floats:
    """1 for the instrument the market follows, a perpetual of BTC before anything else; (1, S)."""
    out = np.zeros((1, len(specs)))
    names = [spec.instrument for spec in specs]
    found = [at for at, name in enumerate(names) if name.base == LEADER]
    if found:
        best = min(found, key=lambda at: (names[at].kind != "perpetual", names[at].kind, at))
        out[0, best] = 1.0
    return out


def _eligible(specs: tuple[InstrumentSpec, ...]) -> Floats:
    """1 for an instrument that may stand for the market: traded against dollars, its base no dollar; (1, S)."""
    names = [spec.instrument for spec in specs]
    return np.array(
        [
            [
                float(
                    name.kind in ("spot", "perpetual")
                    and name.quote in _DOLLARS
                    and name.base not in STABLE_ASSETS
                )
                for name in names
            ]
        ]
    )


def _beside(view: View, open_ns: Integers) -> dict[str, Floats]:
    """What the minutes say beside some 1m rows, (R, S); nothing where the view holds no minutes.

    Notes
    -----
    No rows have the same columns as many: which columns there are says whether a run can go on.
    """
    frame = view.minutes
    if frame is None or not frame.rows:
        return {}
    first = int((open_ns[0] - frame.open_ns[0]) // MINUTE_NS) if len(open_ns) else frame.rows
    skip, start = max(0, -first), max(0, first)
    found = {}
    for name in _MINUTES:
        column = frame.column(name, start)[: max(0, len(open_ns) - skip)]
        whole = np.full((len(open_ns), view.size), np.nan)
        whole[skip : skip + len(column)] = column
        found[name] = whole
    found["trade_count"] = found["buy_count"] + found["sell_count"]
    found["band_depth_usd_25"] = found["bid_usd_25"] + found["ask_usd_25"]
    return found


def _newest(view: View, count: int) -> dict[str, Floats]:
    """Facts that are known for the last of some rows alone; NaN on all rows before it."""
    facts = view.derivatives
    close_ns = view.bars["1m"].last_close_ns or 0
    age = np.where(facts.event_ns > 0, (close_ns - facts.event_ns) / SECOND_NS, np.nan)
    rows = {
        "funding_rate": facts.funding_rate,
        "funding_interval_s": facts.funding_interval_s,
        "quote_age_s": age,
    }
    found = {}
    for name, row in rows.items():
        found[name] = np.full((count, view.size), np.nan)
        found[name][-1:] = row
    return found


def grid(view: View, histories: Mapping[str, Mapping[Instrument, Series]]) -> Block:
    """Histories on the 5-minute grid, float64 (R, S); a point of the grid that is missing is NaN.

    Notes
    -----
    The row of a point is named by the time one interval before it, so that it closes when the point was taken.
    Of several points within one interval the last counts.
    """
    step = INTERVAL_NS["5m"]
    ends = [series.time_ns[[0, -1]] for history in histories.values() for series in history.values()]
    if not ends:
        nothing = np.empty((0, view.size))
        return Block(np.empty(0, dtype=np.int64), dict.fromkeys(histories, nothing))
    first = int(min(end[0] for end in ends)) // step
    last = int(max(end[1] for end in ends)) // step
    columns = {}
    for name, history in histories.items():
        column = np.full((last - first + 1, view.size), np.nan)
        if not history:
            columns[name] = column
            continue
        times = np.concatenate([series.time_ns for series in history.values()])
        values = np.concatenate([series.value for series in history.values()])
        at = np.concatenate(
            [np.full(len(series.time_ns), view.column_of[name]) for name, series in history.items()]
        )
        column[times // step - first, at] = values
        columns[name] = column
    return Block((np.arange(first, last + 1, dtype=np.int64) - 1) * step, columns)


def apart_bps(view: View) -> Floats:
    """Distance of each mid from the lower median of the other venues' mids, bps (S,); NaN where fewer than two quote.

    Notes
    -----
    The same base, quote and kind, and quotes not older than 30 s, at the view's time.
    """
    quotes = view.quotes
    fresh = (view.as_of_ns - quotes.event_ns) <= VENUE_AGE_S * SECOND_NS
    mid = np.where(fresh & (quotes.bid < quotes.ask), (quotes.bid + quotes.ask) / 2.0, np.nan)
    groups: dict[tuple[str, str, str], list[int]] = {}
    for at, spec in enumerate(view.instruments):
        name = spec.instrument
        if name.kind in ("spot", "perpetual"):
            groups.setdefault((name.base, name.quote, name.kind), []).append(at)
    out = np.full(view.size, np.nan)
    for members in groups.values():
        if len(members) > LEAST_VENUES:
            out[members] = _apart(mid[members])
    return out


def _apart(mid: Floats) -> Floats:
    others = np.array([np.delete(mid, at) for at in range(len(mid))])
    others.sort(axis=1)
    n = np.count_nonzero(~np.isnan(others), axis=1)
    middle = np.take_along_axis(others, np.maximum((n - 1) // 2, 0)[:, None], axis=1)[:, 0]
    out: Floats = np.abs(mid / middle - 1.0) * 1e4
    return np.where(n >= LEAST_VENUES, out, np.nan)


def closes(block: Block, frame: Frame) -> Integers:
    """When each row closed."""
    out: Integers = block.open_ns + INTERVAL_NS[INTERVAL_OF[frame]]
    return out
