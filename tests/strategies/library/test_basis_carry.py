"""strategies.md 4, basis_carry, with the numbers stated there."""

from __future__ import annotations

import dataclasses
import datetime
import gzip
import json
import statistics
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sextant.model.times import DAY_NS
from support.carries import BPS, Carried, carrying, constant, dated
from support.couple_runs import answer, scanned, single
from support.markets import FIRST_OPEN_NS

NAME = "basis_carry"


def test_the_premium_less_five_costs() -> None:
    row = single(scanned(NAME, dated()))
    lines = {line.item: line.bps for line in row.costs}
    assert row.gross_bps == pytest.approx(250.0)
    assert lines["fee_entry"] == pytest.approx(-(10 + 5))
    assert lines["fee_exit"] == pytest.approx(-10)
    assert lines["delivery"] == pytest.approx(-2.5)
    assert lines["spread"] == pytest.approx(-3.0)  # both ways for spot, once for the future
    assert row.edge_bps == pytest.approx(219.5)
    assert {gate.gate: gate.value for gate in row.gates}["edge_annual_frac"] == pytest.approx(0.089, abs=5e-4)
    assert (row.grade, row.rank_group) == ("analytic", 0)
    assert [(leg.side, leg.instrument.kind) for leg in row.legs] == [("buy", "spot"), ("sell", "future")]
    assert row.horizon_s == pytest.approx(90 * 86_400.0)
    assert row.confidence is None
    assert row.evidence.reason is not None


def test_a_small_premium_is_worth_less_than_cash() -> None:
    item = answer(scanned(NAME, dated(60_200.0)))
    assert (item.kind, item.stage) == ("gate_failed", "edge_annual_frac")
    assert item.value == pytest.approx(0.001, abs=5e-4)
    assert item.limit == 0.02
    edge = next(gate.value for gate in item.gates if gate.gate == "min_edge_bps")
    assert edge == pytest.approx(2.8, abs=0.05)


def test_a_premium_below_its_costs_is_a_loss() -> None:
    item = answer(scanned(NAME, dated(60_100.0)))
    assert item.kind == "negative_net_edge"
    assert item.value == pytest.approx(16.67 - 30.5, abs=0.01)


@pytest.mark.parametrize(("days", "stage"), [(6.0, "days"), (220.0, "days_cap")])
def test_only_futures_of_some_weeks_are_looked_at(days: float, stage: str) -> None:
    item = answer(scanned(NAME, dated(days=days)))
    assert (item.kind, item.stage) == ("gate_failed", stage)
    assert item.value == pytest.approx(days)


def test_backwardation_would_need_borrowed_spot() -> None:
    item = answer(scanned(NAME, dated(59_000.0)))
    assert (item.kind, item.stage) == ("gate_failed", "shortable")


def test_an_index_away_from_spot_widens_the_error_of_what_is_certain() -> None:
    near = single(scanned(NAME, dated(index=60_000.0)))
    far = single(scanned(NAME, dated(index=60_300.0)))
    assert near.edge_lcb_bps == near.edge_bps
    assert far.edge_bps == near.edge_bps
    assert far.edge_lcb_bps == pytest.approx(219.5 - 0.84 * 50.0)
    lost = answer(scanned(NAME, dated(index=62_000.0)))
    assert (lost.kind, lost.stage) == ("gate_failed", "edge_lcb_bps")
    assert lost.value == pytest.approx(219.5 - 0.84 * 2e4 / 60.0, abs=0.01)


def test_a_perpetual_is_held_for_its_premium_and_its_funding() -> None:
    legs = (
        Carried(
            "deribit",
            "perpetual",
            price=60_000.0,
            interval_h=8,
            rate=BPS / 10,
            settled=constant(BPS / 10, 40, 8),
        ),
        Carried("deribit", "future", price=61_500.0, days=90.0),
    )
    row = single(scanned(NAME, carrying(legs, rows=240)))
    # 270 settlements of a tenth of a basis point are paid by the long perpetual; fees are 5 + 5, 5 and 2.5.
    assert row.gross_bps == pytest.approx(250.0 - 27.0)
    assert row.edge_bps == pytest.approx(223.0 - (15.0 + 2.5) - 1.5)


def test_without_a_known_settlement_fee_nothing_is_offered() -> None:
    legs = (
        Carried("binance", "spot", price=60_000.0),
        Carried("kraken", "future", price=61_500.0, days=90.0),
    )
    item = answer(scanned(NAME, carrying(legs, rows=90)))
    assert (item.kind, item.stage) == ("insufficient_data", "cost.delivery")


def test_a_perpetual_without_a_history_is_insufficient() -> None:
    legs = (
        Carried("deribit", "perpetual", price=60_000.0, interval_h=8, rate=BPS),
        Carried("deribit", "future", price=61_500.0, days=90.0),
    )
    item = answer(scanned(NAME, carrying(legs, rows=90)))
    assert (item.kind, item.stage, item.limit) == ("insufficient_data", "funding.settled", 30.0)


def test_nothing_dated_is_skipped_with_its_reason() -> None:
    run = scanned(NAME, carrying((Carried("bybit", "spot"), Carried("bybit", "perpetual")), rows=90))
    assert run.report.outcome == "skipped"
    assert run.report.reason == "no dated future with spot or a perpetual of its base"


def test_wild_prices_leave_too_little_margin() -> None:
    view = dated()
    frame = view.bars["4h"]
    swing = np.where(np.arange(frame.rows) % 2 == 0, 1.1, 0.9)[:, None]
    closes = frame.close * swing
    wild = carrying(
        (
            Carried("binance", "spot", price=60_000.0, spread_bps=2.0),
            Carried("deribit", "future", price=61_500.0, spread_bps=2.0, days=90.0),
        ),
        rows=frame.rows,
        prices=closes,
    )
    item = answer(scanned(NAME, wild))
    assert (item.kind, item.stage) == ("gate_failed", "margin_sigmas")


def test_a_halted_future_is_not_traded() -> None:
    view = dated()
    halted = msgspec.structs.replace(view.instruments[1], status="halted")
    item = answer(scanned(NAME, dataclasses.replace(view, instruments=(view.instruments[0], halted))))
    assert (item.kind, item.stage) == ("gate_failed", "status.second")
    assert (view.instruments[1].instrument.expiry_ns or 0) > FIRST_OPEN_NS + 90 * DAY_NS


@pytest.mark.data
def test_the_futures_of_a_recorded_morning(data_dir: Path) -> None:
    """Deribit's futures as its option chain named them on 2026-06-27; only the instant was recorded, so bars stand still."""
    packed = (data_dir / "deribit_options" / "btc_chain_20260627T0926Z.json.gz").read_bytes()
    chain = json.loads(gzip.decompress(packed))
    expiries = {item["instrument_name"]: item["expiration_timestamp"] for item in chain["instruments"]}
    index = float(chain["index"]["index_price"])
    named: dict[int, list[float]] = {}
    for name, ticker in chain["tickers"].items():
        if ticker["underlying_index"].startswith("BTC-"):  # others stand on an index of their own making
            ratio = float(ticker["underlying_price"]) / float(ticker["index_price"])
            named.setdefault(expiries[name], []).append(ratio)
    futures = {expiry: index * statistics.median(ratios) for expiry, ratios in named.items()}
    now_ms = datetime.datetime.fromisoformat(chain["captured_at"]).timestamp() * 1e3
    legs = [Carried("binance", "spot", price=index, spread_bps=2.0)] + [
        Carried(
            "deribit", "future", price=price, spread_bps=2.0, days=(expiry - now_ms) / 86_400e3, index=index
        )
        for expiry, price in futures.items()
    ]
    run = scanned(NAME, carrying(legs, rows=90))
    told = {
        round(item.gates[next(i for i, g in enumerate(item.gates) if g.gate == "days")].value or 0.0): item
        for item in run.dispositions
    }
    # By hand: (F - S)/S less 30.5 bps is 152.8 bps to December, 3.08 % a year, and 51.0 bps, 2.07 %, to September.
    row = single(run)
    assert row.horizon_s / 86_400 == pytest.approx(180.9, abs=0.1)
    assert row.edge_bps == pytest.approx(152.8, abs=1.0)
    assert told[90].stage == "best_of_group"
    assert told[90].value == pytest.approx(51.0, abs=1.0)
    assert told[272].stage == "days_cap"
    assert told[6].stage == "days"
    assert {told[20].kind, told[34].kind} == {"negative_net_edge"}
