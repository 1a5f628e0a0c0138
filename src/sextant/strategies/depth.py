"""What visible order books say about all instruments at once; float64 (S,), NaN where no valid book is known."""

from __future__ import annotations

import numpy as np

from sextant.model.bar import Floats
from sextant.model.view import Books, View
from sextant.strategies import rolling
from sextant.strategies.prices import usd_now


def imbalance(books: Books, levels: int) -> Floats:
    """Bid less ask size over their sum, of the best levels of each side; in [-1, 1], positive where buyers wait."""
    bids = np.nansum(books.bid_size[:, :levels], axis=1)
    asks = np.nansum(books.ask_size[:, :levels], axis=1)
    return np.where(books.valid, rolling.ratio(bids - asks, bids + asks), np.nan)


def depth_usd(view: View, within_bps: float) -> Floats:
    """Value that rests within some basis points of mid on the thinner side, USD."""
    books = view.books
    mid = 0.5 * (books.bid_price[:, :1] + books.ask_price[:, :1])
    reach = mid * within_bps / 1e4
    bids = np.where(books.bid_price >= mid - reach, books.bid_price * books.bid_size, 0.0)
    asks = np.where(books.ask_price <= mid + reach, books.ask_price * books.ask_size, 0.0)
    thinner = np.minimum(np.nansum(bids, axis=1), np.nansum(asks, axis=1)) * usd_now(view)
    return np.where(books.valid, thinner, np.nan)
