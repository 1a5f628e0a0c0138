"""Fourteen rules as a loop over pairs with pandas and TA-Lib: reads the bars of the file named first, prints seconds and answers.

Run by ``bench_simple_rules.py`` with the interpreter of the peers' environment.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
import talib.abstract as ta


def told(frame: pd.DataFrame) -> list[bool]:
    """What the rules say of one pair on its last row, each rule a column over all rows as a strategy file writes it."""
    frame["rsi"] = ta.RSI(frame)
    frame["fast"], frame["slow"] = ta.EMA(frame, timeperiod=12), ta.EMA(frame, timeperiod=26)
    macd = ta.MACD(frame)
    frame["macd"], frame["signal"] = macd["macd"], macd["macdsignal"]
    frame["atr"], frame["adx"] = ta.ATR(frame), ta.ADX(frame)
    frame["obv"], frame["ad"] = ta.OBV(frame), ta.AD(frame)
    bands = ta.BBANDS(frame, timeperiod=20, nbdevup=2.0, nbdevdn=2.0)
    frame["upper"], frame["lower"] = bands["upperband"], bands["lowerband"]
    frame["stochastic"] = ta.STOCHRSI(frame, timeperiod=14, fastk_period=14, fastd_period=3)["fastd"]
    frame["cci"], frame["mfi"] = ta.CCI(frame, timeperiod=20), ta.MFI(frame)
    frame["willr"] = ta.WILLR(frame)
    typical = (frame["high"] + frame["low"] + frame["close"]) / 3.0
    day = frame["date"].dt.floor("D")
    turnover = (typical * frame["volume"]).groupby(day).cumsum()
    frame["vwap"] = turnover / frame["volume"].groupby(day).cumsum()
    rules = {
        "oversold": frame["rsi"] < 30,
        "overbought": frame["rsi"] > 70,
        "crossed": frame["fast"] > frame["slow"],
        "rising": frame["macd"] > frame["signal"],
        "below": frame["close"] < frame["lower"],
        "above": frame["close"] > frame["upper"],
        "trending": frame["adx"] > 25,
        "cheap": frame["cci"] < -100,
        "dear": frame["cci"] > 100,
        "drained": frame["mfi"] < 20,
        "washed": frame["willr"] < -80,
        "stretched": frame["stochastic"] < 20,
        "paid": frame["close"] > frame["vwap"],
        "moving": frame["atr"] / frame["close"] > 0.002,
    }
    for name, holds in rules.items():
        frame.loc[holds, name] = 1
    last = frame.iloc[-1]
    return [bool(last[name] == 1) for name in rules]


def main() -> None:
    given = np.load(sys.argv[1])
    bars = {name: given[name] for name in ("high", "low", "close", "volume")}
    first = pd.Timestamp(int(given["first_minute"]) * 60, unit="s", tz="UTC")
    dates = pd.date_range(first, periods=len(bars["close"]), freq="1min")
    pairs = range(bars["close"].shape[1])
    spent, found = [], []
    for turn in range(2):
        begun = time.process_time()
        found = [
            told(
                pd.DataFrame(
                    {"date": dates, "open": bars["close"][:, s], **{n: x[:, s] for n, x in bars.items()}}
                )
            )
            for s in pairs
        ]
        if turn:
            spent.append(time.process_time() - begun)
    print(json.dumps({"loop_ms": spent[0] * 1e3, "told": found}))


if __name__ == "__main__":
    main()
