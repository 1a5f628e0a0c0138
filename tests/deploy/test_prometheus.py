"""Rules and dashboard name only figures, labels and bounds that the server has."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

from sextant.monitoring import lines
from sextant.monitoring.records import SocketReading, UpstreamReading
from support.api import api_on
from support.database import sqlite

DEPLOY: Final = Path(__file__).resolve().parents[2] / "deploy"
NAME: Final = re.compile(r"\b(sextant_[a-z_]+)(?:\{([^}]*)\})?")
MATCH: Final = re.compile(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"([^\"]*)\"")
GROUPING: Final = re.compile(r"\bby \(([^)]*)\)")
SOCKET: Final = SocketReading(
    name="bybit.linear.0", up=True, reason="", last_message_age_s=1.0, resyncs=0, drops=0, wire_errors=0
)


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DEPLOY / "grafana" / "sextant.json").read_text())["panels"]
    return found


def expressions() -> list[str]:
    drawn = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + drawn


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[str]:
    """All figures of a server in which everything has happened once."""
    async with sqlite(tmp_path) as db, api_on(db) as api:
        metrics = api.rooms.metrics
        api.rooms.watch.attach(lambda: UpstreamReading(venue="bybit", sockets=(SOCKET,)))
        _, admin = await api.session("root@example.org", "admin")
        metrics.scanned("ok", 1.0, whole=True)
        metrics.evaluated("momentum", "ok", 0.1)
        metrics.called("bybit", "kline", "nonce_refused", 0.1)
        await api.client.get("/nowhere")
        await api.client.get("/api/v1/auth/me")
        await api.rooms.watch.look()
        yield (await api.client.get("/metrics", headers=admin)).text


def families(text: str) -> dict[str, set[str]]:
    """Labels of every figure by its name."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            words = line.split()
            if words[1] == "TYPE" and words[3] in ("gauge", "counter"):
                found.setdefault(words[2], set())
            continue
        name, _, rest = line.partition("{")
        name = name.split(" ", maxsplit=1)[0]
        labels = re.findall(r'(\w+)="', rest)
        found.setdefault(name, set()).update(labels)
    return found


async def test_every_figure_of_rules_and_dashboard_exists_with_its_labels(served: str) -> None:
    known = families(served)
    asked: set[str] = set()
    for expression in expressions():
        for name, matchers in NAME.findall(expression):
            assert name in known, f"{name} in: {expression}"
            asked.add(name)
            for label, _ in MATCH.findall(matchers):
                assert label in known[name], f"{label} of {name} in: {expression}"
        labels = {label.strip() for group in GROUPING.findall(expression) for label in group.split(",")}
        having = [known[name] for name, _ in NAME.findall(expression)]
        for label in labels:
            assert all(label in names for names in having), f"{label} in: {expression}"
    assert len(asked) >= 20


async def test_every_bound_of_a_rule_is_a_bound_of_its_histogram(served: str) -> None:
    for expression in expressions():
        for name, matchers in NAME.findall(expression):
            for label, value in MATCH.findall(matchers):
                if label == "le":
                    assert re.search(rf'^{name}\{{.*le="{re.escape(value)}"', served, re.MULTILINE), (
                        expression
                    )


def test_every_recorded_ratio_that_is_used_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    used = {
        name for expression in expressions() for name in re.findall(r"\b\w+:\w+:ratio_rate\w+", expression)
    }
    assert used <= recorded
    windows = {name.rpartition("ratio_rate")[2] for name in recorded}
    assert windows == {"5m", "30m", "1h", "6h", "3d"}


def test_every_alert_has_a_severity_and_says_what_is_wrong() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len({rule["alert"] for rule in alerts}) == len(alerts)
    for rule in alerts:
        assert rule["labels"]["severity"] in ("page", "critical", "warning", "ticket"), rule["alert"]
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]


@pytest.mark.parametrize(
    ("alert", "limit"),
    [
        ("ScanSlowWarning", lines.SCAN.warning),
        ("ScanSlowCritical", lines.SCAN.critical),
        ("DbSlowWarning", lines.QUERY.warning),
        ("DbSlowCritical", lines.QUERY.critical),
    ],
)
def test_bounds_of_rules_are_the_lines_of_the_server(alert: str, limit: float) -> None:
    [rule] = [rule for rule in rules() if rule.get("alert") == alert]
    assert f'le="{limit}"' in rule["expr"]


@pytest.mark.parametrize(
    ("alert", "limit"),
    [
        ("StrategyLateWarning", (lines.LATE.warning or 0) / 100),
        ("StrategyLateCritical", (lines.LATE.critical or 0) / 100),
        ("UpstreamFailingWarning", (lines.UPSTREAM.warning or 0) / 100),
        ("UpstreamFailingCritical", (lines.UPSTREAM.critical or 0) / 100),
        ("ScanStuck", lines.STUCK.warning),
        ("FeedStale", lines.SOCKET.critical),
        ("LoopLate", lines.LOOP.warning),
        ("NonceRefused", lines.NONCE.critical),
    ],
)
def test_limits_of_rules_are_the_lines_of_the_server(alert: str, limit: float) -> None:
    [rule] = [rule for rule in rules() if rule.get("alert") == alert]
    found = re.findall(r"> ([\d.]+)", rule["expr"])
    assert [float(number) for number in found] == [pytest.approx(limit)]


def test_least_counts_guard_low_traffic() -> None:
    for rule in rules():
        if "Burn" in rule.get("alert", "") or rule.get("alert", "").startswith("UpstreamFailing"):
            assert ">= 20" in rule["expr"], rule["alert"]


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_the_example_of_prometheus_reads_these_rules() -> None:
    example = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert example["rule_files"] == ["rules.yml"]
    assert example["scrape_configs"][0]["metrics_path"] == "/metrics"
