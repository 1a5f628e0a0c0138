"""The first minute of a stranger: start the demo, log in, scan, read, ask why, stop."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from sextant.cli import exits
from sextant.sim.deribit_market import expiries
from support.commands import run
from support.demo import Demo

CURRENCIES: Final = 2  # that the simulated Deribit lists


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    server = Demo(tmp_path_factory.mktemp("demo"))
    try:
        yield server.start()
    finally:
        assert server.stop() == 0


def _futures() -> int:
    """Perpetuals and dated futures that the simulated Deribit lists today; how many depends on the Fridays of the month."""
    dated = [period for _, period in expiries(round(time.time() * 1e3)) if period != "day"]
    return CURRENCIES * (1 + len(dated))


def _ended(demo: Demo, scan_id: str) -> Any:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        status = demo.ask("GET", f"/api/v1/opportunities/status/{scan_id}")
        assert status.status == 200
        if status.body["status"] != "scanning":
            return status.body
        time.sleep(0.05)
    raise AssertionError(f"scan {scan_id} did not end")


def test_the_first_poll_after_the_answer_knows_the_scan(demo: Demo) -> None:
    for _ in range(5):
        accepted = demo.ask("POST", "/api/v1/opportunities/discover", {"force_refresh": True})
        first = demo.ask("GET", accepted.body["poll_url"])
        assert accepted.status == 200
        assert first.status == 200
        assert first.body["status"] in ("scanning", "complete")


def test_a_scan_of_the_simulated_market_ends_with_results_that_say_so(demo: Demo) -> None:
    accepted = demo.ask("POST", "/api/v1/opportunities/discover", {"force_refresh": True})
    status = _ended(demo, accepted.body["scan_id"])
    results = demo.ask("GET", accepted.body["results_url"])
    assert status["status"] == "complete"
    assert status["progress"]["percentage"] == 100
    assert results.status == 200
    assert results.body["asset_discovery"]["total_assets_scanned"] == demo.instruments + _futures()
    assert results.body["feed"] == "demo"
    assert results.body["simulated"] is True
    assert results.headers["sextant-feed"] == "demo"


def test_every_candidate_of_a_scan_has_its_reason(demo: Demo) -> None:
    accepted = demo.ask("POST", "/api/v1/opportunities/discover", {"force_refresh": True})
    _ended(demo, accepted.body["scan_id"])
    coverage = demo.ask("GET", f"/api/v1/scans/{accepted.body['scan_id']}/coverage")
    assert coverage.status == 200
    for strategy in coverage.body["strategies"]:
        assert sum(strategy["dispositions"].values()) == strategy["candidates"]
    candidates = {strategy["strategy_id"]: strategy["candidates"] for strategy in coverage.body["strategies"]}
    assert candidates["ai_spot_momentum_strategy"] == demo.instruments + _futures()
    path = (
        f"/api/v1/scans/{accepted.body['scan_id']}/coverage?strategy_id=ai_spot_momentum_strategy&limit=200"
    )
    units = {row["unit"] for row in demo.ask("GET", path).body["candidates"]}
    spots = [unit for unit in units if unit.endswith(":spot")]
    # Each of Bybit's spot instruments is held against its perpetual.
    assert len(spots) >= 2
    assert all(unit.replace(":spot", ":perpetual") in units for unit in spots)
    assert candidates["ai_funding_arbitrage"] == len(spots)


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"symbols": ["NOPE"]}, 422, "NOPE"),
        ({"strategy_ids": []}, 422, "strategy_ids"),
        ({"max_required_capital": -5}, 422, "max_required_capital"),
        ({"unknown": 1}, 422, "unknown"),
    ],
)
def test_a_wrong_request_is_refused_by_name(
    demo: Demo, body: dict[str, Any], status: int, named: str
) -> None:
    answer = demo.ask("POST", "/api/v1/opportunities/discover", body)
    assert answer.status == status
    assert named in str(answer.body)
    assert answer.body["success"] is False


def test_nobody_reads_without_a_token(demo: Demo) -> None:
    assert demo.ask("GET", "/api/v1/opportunities/status/latest", token=None).status == 401
    assert demo.ask("GET", "/api/v1/opportunities/status/latest", token="nonsense").status == 401


def test_the_chains_of_the_second_simulated_venue_give_an_opportunity(demo: Demo) -> None:
    end = time.monotonic() + 60
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < end:
        wanted = {"strategy_ids": ["ai_options_trade"], "force_refresh": True}
        accepted = demo.ask("POST", "/api/v1/opportunities/discover", wanted)
        assert accepted.status == 200, accepted.body
        _ended(demo, accepted.body["scan_id"])
        found = demo.ask("GET", accepted.body["results_url"]).body["opportunities"]
        time.sleep(2.5)  # thirty scans a minute are one person's
    assert {row["strategy_id"] for row in found} == {"ai_options_trade"}
    page = demo.ask("GET", f"/api/v1/opportunities/{found[0]['opportunity_id']}")
    assert page.status == 200
    assert (
        page.body["metadata"]["size_illustrative"] is False
    )  # the demo's person holds dollars at that venue too
    assert {leg["kind"] for leg in page.body["legs"]} == {"option"}


def test_a_password_at_a_terminal_is_enough_to_scan_and_to_open_the_first_idea(
    demo: Demo, tmp_path: Path
) -> None:
    at = ("--server", demo.address)
    refused = run("login", "demo@example.org", *at, folder=tmp_path, typed="another-password\n")
    assert (refused.returncode, refused.stdout) == (exits.REFUSED, "")
    assert "another-password" not in refused.stderr

    said = run("login", "demo@example.org", *at, folder=tmp_path, typed=f"{demo.password}\n").stdout
    assert said.startswith("export SEXTANT_TOKEN=")
    assert demo.password not in said
    token = said.strip().split("=", 1)[1]

    scanned = run("scan", *at, folder=tmp_path, SEXTANT_TOKEN=token)
    assert scanned.returncode == 0, scanned.stderr
    for words in (
        "SIMULATED DATA",
        "Why the others were refused",
        "ai_spot_momentum_strategy",
        "skipped, no",
    ):
        assert words in scanned.stdout

    latest = demo.ask("GET", "/api/v1/opportunities/results/latest").body["opportunities"][0]
    opened = run("opportunity", "1", *at, folder=tmp_path, SEXTANT_TOKEN=token, COLUMNS="200")
    assert opened.returncode == 0, opened.stderr
    for words in (
        latest["strategy_name"],
        f"grade {latest['grade']}",
        "From gross to net",
        "fee_entry",
        "Past",
    ):
        assert words in opened.stdout
    assert latest["instruments"][0] in opened.stdout
    by_id = run("opportunity", latest["opportunity_id"], "--json", *at, folder=tmp_path, SEXTANT_TOKEN=token)
    assert json.loads(by_id.stdout)["opportunity_key"] == latest["opportunity_key"]

    beyond = run("opportunity", "999", *at, folder=tmp_path, SEXTANT_TOKEN=token)
    assert beyond.returncode == exits.INPUT
    assert "there is no rank 999" in beyond.stderr
