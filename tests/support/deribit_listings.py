"""Listings of Deribit, read from answers written by hand."""

from __future__ import annotations

from sextant.venues.library.deribit.instruments import parse_instruments
from sextant.venues.port import SymbolTable
from support.deribit_answers import OUT_US, ROWS, answer

PAGE = parse_instruments(answer(ROWS), OUT_US * 1_000 + 7)
TABLE = SymbolTable(PAGE.listings)
BY_NAME = {listing.symbol: listing for listing in PAGE.listings}
CALL = BY_NAME["BTC-28JUN26-60000-C"].instrument
PERPETUAL = BY_NAME["BTC-PERPETUAL"].instrument
LINEAR = BY_NAME["ETH_USDC-PERPETUAL"].instrument
