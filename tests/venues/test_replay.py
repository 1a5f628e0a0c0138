from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from sextant.errors import InputError
from sextant.kit.clock import ManualClock
from sextant.kit.frames import Frame, FrameLog
from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.events import Event, Listed, StreamAlive, StreamDown, Trade
from sextant.venues.recordings import read_recording
from sextant.venues.replay import MOST_CAUSES, Replay, replay_events

BYBIT = "cryptofeed/v3/BYBIT_btc_eth.jsonl.zst"
SOCKET = "wss://stream.bybit.com/v5/public/linear"
CATALOGUE_URL = "https://api.bybit.com/v5/market/instruments-info?category=linear"
LINK = "bybit.linear.0"


def instruments(*bases: str) -> bytes:
    rows = [
        {
            "symbol": f"{base}USDT",
            "contractType": "LinearPerpetual",
            "status": "Trading",
            "baseCoin": base,
            "quoteCoin": "USDT",
            "launchTime": "1584230400000",
            "deliveryTime": "0",
            "priceFilter": {"tickSize": "0.10"},
            "lotSizeFilter": {"qtyStep": "0.001", "minNotionalValue": "5"},
            "leverageFilter": {"maxLeverage": "100.00"},
            "fundingInterval": 480,
        }
        for base in bases
    ]
    return json.dumps(
        {
            "retCode": 0,
            "retMsg": "OK",
            "result": {"category": "linear", "list": rows, "nextPageCursor": ""},
            "time": 1_700_000_000_000,
        }
    ).encode()


def trade(symbol: str = "BTCUSDT", number: int = 1) -> bytes:
    row = {
        "T": 1_700_000_000_000,
        "s": symbol,
        "S": "Buy",
        "v": "1.5",
        "p": "100.5",
        "i": str(number),
        "BT": False,
    }
    message = {"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": 1_700_000_000_001, "data": [row]}
    return json.dumps(message).encode()


def log_of(folder: Path, *frames: tuple[str, str, str, bytes]) -> Path:
    with FrameLog(folder, "mine", ManualClock(0)) as log:
        for number, (connection, kind, address, data) in enumerate(frames):
            log.write(Frame(number, connection, kind, address, data))  # type: ignore[arg-type]  # spelled below
    return folder / "mine-19700101T00.frames.zst"


LISTED = ("bybit.http", "http", CATALOGUE_URL, instruments("BTC", "ETH"))


def taken(replay: Replay) -> list[Event]:
    return list(replay.events)


def test_an_instrument_is_listed_just_before_its_first_event_and_only_then(tmp_path: Path) -> None:
    path = log_of(tmp_path, LISTED, (LINK, "received", "", trade()), (LINK, "received", "", trade(number=2)))
    listed, first, second = taken(replay_events([path]))
    assert isinstance(listed, Listed)
    assert isinstance(first, Trade)
    assert isinstance(second, Trade)
    assert listed.spec.instrument is first.instrument is second.instrument
    assert str(first.instrument) == "bybit:BTC-USDT:perpetual"
    assert (first.price, first.size, first.aggressor, first.receive_ns) == (100.5, 1.5, 1, 1)


def test_changed_rules_of_a_known_instrument_are_told_and_repeated_ones_are_not(tmp_path: Path) -> None:
    changed = instruments("BTC").replace(b"0.10", b"0.50")
    path = log_of(
        tmp_path,
        LISTED,
        (LINK, "received", "", trade()),
        LISTED,
        ("bybit.http", "http", CATALOGUE_URL, changed),
    )
    first, traded, again = taken(replay_events([path]))
    assert isinstance(first, Listed)
    assert isinstance(traded, Trade)
    assert isinstance(again, Listed)
    assert (str(first.spec.tick), str(again.spec.tick)) == ("0.10", "0.50")


def test_each_hour_of_a_log_whose_listings_lead_replays_alone_and_all_replay_together(tmp_path: Path) -> None:
    clock = ManualClock(0)
    with FrameLog(tmp_path, "mine", clock) as log:
        log.write(Frame(0, *LISTED), lead=True)  # type: ignore[arg-type]  # spelled above
        log.write(Frame(1, LINK, "received", "", trade()))
        clock.advance(3_600)
        log.write(Frame(2, LINK, "received", "", trade(number=2)))
    for path in sorted(tmp_path.iterdir()):
        assert [type(event) for event in taken(replay_events([path]))] == [Listed, Trade]
    assert [type(event) for event in taken(replay_events([tmp_path]))] == [Listed, Trade, Trade]


def test_reading_ends_before_the_first_later_frame(tmp_path: Path) -> None:
    received = [(LINK, "received", "", trade(number=number)) for number in range(1, 4)]
    replay = replay_events([log_of(tmp_path, LISTED, *received)], until_ns=2)
    assert [event.receive_ns for event in taken(replay) if isinstance(event, Trade)] == [1, 2]
    assert replay.period() == (0, 2)


def test_recorded_latest_facts_are_told(tmp_path: Path) -> None:
    row = {"symbol": "BTCUSDT", "lastPrice": "100.5", "bid1Price": "100", "ask1Price": "101"}
    body = {"retCode": 0, "result": {"category": "linear", "list": [row]}, "time": 1_700_000_000_000}
    url = "https://api.bybit.com/v5/market/tickers?category=linear"
    path = log_of(tmp_path, LISTED, ("bybit.http", "http", url, json.dumps(body).encode()))
    events = taken(replay_events([path]))
    assert [type(event).__name__ for event in events] == ["Listed", "QuoteUpdate", "DerivativesUpdate"]


def test_a_recorded_refusal_is_counted_and_told(tmp_path: Path) -> None:
    path = log_of(
        tmp_path, ("bybit.http", "http", CATALOGUE_URL, b'{"retCode":10006,"retMsg":"Too many visits!"}')
    )
    replay = replay_events([path])
    assert taken(replay) == []
    assert len(replay.notes()) == 1
    assert replay.untranslated() == {"bybit": 1}


def test_of_very_many_causes_only_the_number_is_told(tmp_path: Path) -> None:
    unlisted = [(LINK, "received", "", trade(f"X{number}USDT")) for number in range(25)]
    replay = replay_events([log_of(tmp_path, *unlisted)])
    taken(replay)
    assert len(replay.notes()) == MOST_CAUSES + 1
    assert replay.notes()[-1] == "5 further causes are not told."


def test_a_frame_of_an_unlisted_instrument_is_counted_and_told(tmp_path: Path) -> None:
    replay = replay_events([log_of(tmp_path, LISTED, (LINK, "received", "", trade("XRPUSDT")))])
    assert taken(replay) == []
    assert replay.untranslated() == {"bybit": 1}
    assert replay.notes() == (
        "1 frames of bybit of an instrument that no recorded answer lists: publicTrade.XRPUSDT.",
    )


def test_a_frame_that_is_not_as_documented_is_counted_with_the_field_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    broken = trade().replace(b'"100.5"', b'"-1"')
    path = log_of(tmp_path, LISTED, (LINK, "received", "", broken), (LINK, "received", "", trade(number=2)))
    replay = replay_events([path])
    assert [type(event) for event in taken(replay)] == [Listed, Trade]
    assert replay.untranslated() == {"bybit": 1}
    assert "not as documented" in replay.notes()[0]


def test_frames_of_a_venue_without_translator_are_counted_under_its_name(tmp_path: Path) -> None:
    path = log_of(
        tmp_path,
        ("nowhere.ws.1", "open", "wss://nowhere.example", b""),
        ("nowhere.ws.1", "received", "", b'{"channel":"book"}'),
        ("nowhere.http", "http", "https://nowhere.example/x", b"{}"),
    )
    replay = replay_events([path])
    assert taken(replay) == []
    assert (replay.messages(), replay.channels(), replay.untranslated()) == (1, {"book": 1}, {"nowhere": 1})
    assert set(replay.notes()) == {
        "1 frames of nowhere (wss://nowhere.example): no translator for it yet.",
        "1 answers of nowhere: no translator for it yet.",
    }


def test_the_category_is_known_by_the_address_or_by_our_own_name_of_the_connection(tmp_path: Path) -> None:
    path = log_of(
        tmp_path,
        LISTED,
        ("BYBIT.ws.9", "open", SOCKET, b""),
        ("BYBIT.ws.9", "received", "", trade()),
        ("bybit.spot.0", "received", "", trade()),
    )
    replay = replay_events([path])
    assert [type(event) for event in taken(replay)] == [Listed, Trade]
    assert replay.untranslated() == {"bybit": 1}  # BTCUSDT of the spot socket was never listed


@pytest.mark.parametrize(("kind", "reason"), [("closed", "closed"), ("open", "reopened")])
def test_a_lost_connection_takes_its_streams_down(tmp_path: Path, kind: str, reason: str) -> None:
    path = log_of(
        tmp_path,
        LISTED,
        (LINK, "open", SOCKET, b""),
        (LINK, "received", "", trade()),
        (LINK, kind, SOCKET, b""),
    )
    down = taken(replay_events([path]))[-1]
    assert isinstance(down, StreamDown)
    assert ([str(item) for item in down.instruments], down.streams, down.reason) == (
        ["bybit:BTC-USDT:perpetual"],
        ("trades",),
        reason,
    )


def test_a_pong_proves_that_silence_is_not_loss(tmp_path: Path) -> None:
    pong = b'{"success":true,"ret_msg":"pong","conn_id":"x","op":"ping"}'
    path = log_of(tmp_path, LISTED, (LINK, "received", "", trade()), (LINK, "received", "", pong))
    alive = taken(replay_events([path]))[-1]
    assert isinstance(alive, StreamAlive)
    assert (alive.streams, alive.receive_ns) == (("trades",), 2)


def test_an_answer_that_is_not_read_is_told(tmp_path: Path) -> None:
    replay = replay_events(
        [log_of(tmp_path, ("bybit.http", "http", "https://api.bybit.com/v5/market/time", b"{}"))]
    )
    assert taken(replay) == []
    assert replay.notes() == ("1 answers of bybit to /v5/market/time: not read in a replay.",)


def test_an_unfinished_tail_is_told(tmp_path: Path) -> None:
    path = log_of(tmp_path, LISTED)
    path.write_bytes(path.read_bytes() + path.read_bytes()[:20])
    replay = replay_events([path])
    taken(replay)
    assert replay.notes() == (f"{path.name} ends in 20 bytes of an unfinished block.",)


def test_a_folder_stands_for_its_files_and_files_are_merged_by_time(tmp_path: Path) -> None:
    for name, times in (("a", (1, 4)), ("b", (2, 3))):
        with FrameLog(tmp_path, name, ManualClock(0)) as log:
            for time in times:
                log.write(Frame(time, f"{name}.ws", "received", "", b'{"channel":"%d"}' % time))
    replay = replay_events([tmp_path])
    taken(replay)
    assert (replay.messages(), replay.period()) == (4, (1, 4))


def test_nothing_to_replay_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recording"):
        replay_events([tmp_path])


def test_nothing_is_read_before_the_events_are_taken(tmp_path: Path) -> None:
    replay = replay_events([log_of(tmp_path, LISTED)])
    assert (replay.period(), replay.messages()) == (None, 0)


@pytest.mark.data
def test_the_recorded_session_replays_without_gap_or_crossed_book_and_twice_the_same(data_dir: Path) -> None:
    hashes = []
    for _ in range(2):
        replay = replay_events([data_dir / BYBIT])
        state = MarketState("replay", simulated=False)
        report = ingest(state, replay.events)
        hashes.append(state.state_hash())
        assert (report.gaps, report.crossed, report.unknown_instruments) == (0, 0, 0)
    # The counts are those that the README of the recordings states.
    assert replay.messages() == 1_996
    assert replay.channels() == {
        "kline.1 snapshot": 59,
        "orderbook.200 delta": 1_381,
        "orderbook.200 snapshot": 4,
        "publicTrade snapshot": 46,
        "subscribe": 24,
        "tickers delta": 399,
        "tickers snapshot": 83,
    }
    assert (replay.untranslated(), replay.notes()) == ({}, ())
    assert len(state.instruments) == 4
    assert hashes[0] == hashes[1]


@pytest.mark.data
def test_our_own_log_of_the_recorded_session_gives_the_same_state(data_dir: Path, tmp_path: Path) -> None:
    with FrameLog(tmp_path, "mine", ManualClock(0)) as log:
        for frame in read_recording(data_dir / BYBIT):
            log.write(frame)
    states = []
    for path in (data_dir / BYBIT, tmp_path):
        state = MarketState("replay", simulated=False)
        ingest(state, replay_events([path]).events)
        states.append(state.state_hash())
    assert states[0] == states[1]


@pytest.mark.data
def test_every_frame_of_every_recording_is_either_translated_or_counted(data_dir: Path) -> None:
    received: Counter[str] = Counter()
    for path in sorted((data_dir / "cryptofeed" / "v3").glob("*.zst")):
        replay = replay_events([path])
        events = taken(replay)
        assert sum(replay.channels().values()) == replay.messages()
        if not events:
            assert sum(replay.untranslated().values()) == replay.messages()
            assert replay.notes()
        received[path.name] = replay.messages()
    assert received["KRAKEN.jsonl.zst"] == 4_430
