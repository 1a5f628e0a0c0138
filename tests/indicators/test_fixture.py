"""The printed values of the specification on its 120 bars: from TA-Lib 0.8.1, or checked there by a second method."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from sextant.indicators.catalog import compute
from sextant.model.bar import Floats
from support import indicators as market

# output, parameters, at t = 60 and t = 119, as printed
TABLE: tuple[tuple[str, dict[str, float], str | None, str], ...] = (
    ("sma.sma", {}, "102.63", "102.635"),
    ("ema.ema", {}, "102.6493547", "102.6141885"),
    ("macd.macd", {}, ".1571684846", ".07826121409"),
    ("macd.signal", {}, ".00408304695", ".03932330201"),
    ("rsi.rsi", {}, "56.5754179", "47.77895704"),
    ("atr.atr", {}, "1.885043013", "1.795967001"),
    ("adx.plus_di", {}, "36.32843311", "32.00495069"),
    ("adx.minus_di", {}, "29.30235579", "31.5318123"),
    ("adx.adx", {}, "8.145586622", "7.603947868"),
    ("bollinger.upper", {}, "105.582863", "105.5128638"),
    ("awesome_oscillator.awesome_oscillator", {}, "-.2225", ".2410294118"),
    ("cci.cci", {}, "122.6618973", "-19.48873703"),
    ("williams_r.williams_r", {}, "-6.086956522", "-69.56521739"),
    ("rate_of_change.rate_of_change", {}, "2.635431918", ".9424603175"),
    ("money_flow_index.money_flow_index", {}, "58.35727309", "47.93444318"),
    ("efficiency_ratio.efficiency_ratio", {"window": 10}, ".1764705882", ".06440677966"),
    ("stochastic_rsi.k", {}, "100", "27.16611945"),
    ("stochastic_rsi.d", {}, "69.51126398", "66.63850389"),
    ("on_balance_volume.on_balance_volume", {}, "117", "136"),
    ("accumulation_distribution.accumulation_distribution", {}, "38.39775078", "11.85114527"),
    ("chaikin_money_flow.chaikin_money_flow", {}, ".1509975829", "-.021032262"),
    ("donchian.upper", {}, "105.5", "105.4"),
    ("donchian.lower", {}, "99.75", "100.0"),
    ("relative_volume.relative_volume", {}, "1.332971872", ".5590788713"),
    ("vwap.vwap", {}, None, "102.5529430"),
    ("vwap.sd", {}, None, "1.342242198"),
    ("realized_volatility.realized_volatility", {}, None, ".01501789264"),
    ("parkinson.parkinson", {}, None, ".01096333084"),
    ("semivariance.ratio", {"window": 60}, None, "-.004554918035"),
    ("cumulative_delta.ratio", {}, None, "-.01633986928"),
    ("volume_delta.ratio", {}, None, "-.01412429379"),
    ("volume_balance.adl_ratio", {"window": 100}, None, "-.003733721465"),
    ("volume_balance.obv_ratio", {"window": 100}, None, ".03222222222"),
    ("structure_breaks.bias", {}, None, ".4723970646"),
    ("volume_profile.poc", {"window": 120, "price_step": 0.25, "lot_size": 1.0}, None, "101.125"),
    ("volume_profile.val", {"window": 120, "price_step": 0.25, "lot_size": 1.0}, None, "100.5"),
    ("volume_profile.vah", {"window": 120, "price_step": 0.25, "lot_size": 1.0}, None, "104.0"),
)


def column(output: str, params: dict[str, float]) -> Floats:
    name, field = output.split(".")
    return compute(name, market.fx(), bar_index=0, **params)[field][:, 0]


def test_fixture_is_the_one_of_the_specification() -> None:
    close = market.fx()["close"][:, 0]
    assert close[:5] == pytest.approx([99.75, 101.95, 103.25, 104.8, 103.0], abs=1e-12)
    assert close.sum() == pytest.approx(12299.95, abs=1e-9)


@pytest.mark.parametrize(("output", "params", "early", "late"), TABLE, ids=[row[0] for row in TABLE])
def test_value_is_the_printed_one(
    output: str, params: dict[str, float], early: str | None, late: str
) -> None:
    x = column(output, params)
    for row, printed in ((60, early), (119, late)):
        if printed is not None:
            exponent = Decimal(printed).as_tuple().exponent
            assert isinstance(exponent, int)
            assert abs(x[row] - float(printed)) <= 0.5000001 * 10.0**exponent + 1e-12


def test_cumulative_delta_of_the_last_sixty_bars_is_the_printed_sum() -> None:
    bars = market.cut(market.fx(), slice(60, None))
    day = compute("cumulative_delta", bars, bar_index=1440)["day"][:, 0]
    assert day[59] == pytest.approx(-17.5, abs=1e-9)


def test_breaks_of_structure_are_the_printed_three() -> None:
    event = column("structure_breaks.event", {})
    assert [(int(t), float(event[t])) for t in np.flatnonzero(np.nan_to_num(event))] == [
        (60, 1.0),
        (80, -2.0),
        (100, 2.0),
    ]


def turns(x: Floats, side: int = 5) -> dict[int, float]:
    """Swing highs of a column by the row that confirms them, from the definition."""
    return {
        i + side: float(x[i])
        for i in range(side, len(x) - side)
        if x[i] > x[i - side : i].max() and x[i] >= x[i + 1 : i + side + 1].max()
    }


def test_swings_are_the_printed_fifteen() -> None:
    bars = market.fx()
    highs = turns(bars["high"][:, 0])
    lows = {row: -price for row, price in turns(-bars["low"][:, 0]).items()}
    assert len(highs) + len(lows) == 15
    assert min(lows) - 5 == 18
    assert lows[23] == pytest.approx(99.95)
    assert min(highs) - 5 == 20
    assert highs[25] == pytest.approx(105.15)
    found = compute("swings", bars, bar_index=0)
    for name, expected, nothing in (("last_high", highs, np.inf), ("last_low", lows, -np.inf)):
        last = nothing
        for t in range(10, 120):
            last = expected.get(t, last)
            assert found[name][t, 0] == last
