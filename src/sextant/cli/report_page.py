"""The evidence report as one page that needs nothing else: tables and plots, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from sextant.cli.render import number
from sextant.cli.report import Bucket, Curve, PackEvidence, Report, StrategyEvidence
from sextant.model.scorecard import Scorecard
from sextant.model.times import iso_ms

WIDTH: Final = 760
HEIGHT: Final = 180
EDGE: Final = 8

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; margin: .6rem 0 1.2rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
svg { background: #fafafa; border: 1px solid #ddd; }
.muted { color: #666; }
"""


def page(report: Report) -> str:
    """The whole page."""
    packs = "".join(_pack(pack) for pack in report.packs)
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Evidence on recorded bars</title>"
        f"<style>{_STYLE}</style></head><body><h1>Evidence on recorded bars</h1>"
        "<p>Every past signal of every strategy, entered at the next open, ended by the strategy's own stop, target, exit or "
        "horizon (the stop first where both lay in one bar), net of entry-tier taker fees and an assumed spread of "
        f"{report.spread_bps_assumed:g} bps. Intervals are 90 %, clustered by time over all instruments. A description of the "
        f"past, not a promise.</p><p class='muted'>{escape(report.code_version)}</p>{packs}</body></html>"
    )


def _pack(pack: PackEvidence) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in pack.notes)
    head = (
        f"<h2>{escape(pack.pack)}</h2><p>{pack.instruments} instruments, {pack.interval} bars, {iso_ms(pack.start_ns)[:10]} to "
        f"{iso_ms(pack.end_ns)[:10]}; mean round trip {number(pack.mean_cost_bps)} bps.</p><ul class='muted'>{notes}</ul>"
    )
    names = {item.strategy_id: item.name for item in pack.strategies} | {"all": "All of them"}
    rows = "".join(_strategy(item) for item in pack.strategies)
    return head + rows + _reliability(pack.reliability, names)


def _strategy(item: StrategyEvidence) -> str:
    title = f"<h3>{escape(item.name)} <span class='muted'>{escape(item.strategy_id)}</span></h3>"
    if item.both is None:
        return f"{title}<p>Not scored: {escape(item.skipped or 'unknown')}.</p>"
    rows = "".join(
        _row(side, card)
        for side, card in (("both", item.both), ("long", item.long), ("short", item.short))
        if card is not None
    )
    head = "<tr><th>side</th><th>n</th><th>independent</th><th>gross bps</th><th>net bps</th><th>90 %</th><th>hit</th><th>grade</th></tr>"
    return f"{title}<table>{head}{rows}</table>{plot(item.curve)}"


def _row(side: str, card: Scorecard) -> str:
    hit = "-" if card.hit_frac is None else f"{card.hit_frac * 100:.0f} %"
    interval = f"{number(card.expectancy_low_bps)} .. {number(card.expectancy_high_bps)}"
    cells = (
        side,
        str(card.n),
        f"{card.n_eff:.0f}",
        number(card.gross_mean_bps, sign="+"),
        number(card.expectancy_bps, sign="+"),
        interval,
        hit,
        card.grade,
    )
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _reliability(rows: Sequence[Bucket], names: Mapping[str, str]) -> str:
    """Stated against observed hit fractions, on data later than what was known; a sentence where none could be stated."""
    title = "<h3>Stated probabilities against what came later</h3>"
    if not rows:
        return f"{title}<p class='muted'>No probability could be stated before the outcome was known.</p>"
    body = "".join(
        f"<tr><td>{escape(names[row.strategy_id])}</td><td>{row.bucket_low * 100:.0f} to {row.bucket_high * 100:.0f} %</td>"
        f"<td>{row.stated_frac * 100:.1f} %</td><td>{row.n}</td><td>{row.hits}</td><td>{row.observed_frac * 100:.1f} %</td>"
        f"<td>{row.low_frac * 100:.1f} .. {row.high_frac * 100:.1f} %</td><td>{'yes' if row.inside else 'no'}</td></tr>"
        for row in rows
    )
    head = (
        "<tr><th>strategy</th><th>bucket</th><th>mean stated</th><th>n</th><th>hits</th><th>observed</th><th>90 %</th>"
        "<th>inside</th></tr>"
    )
    inside = sum(row.inside for row in rows)
    told = (
        "<p>At eight times a table was made of the outcomes known by then, and spoke about signals a horizon later. "
        f"Of {len(rows)} buckets {inside} were stated inside the 90 % interval of what came.</p>"
    )
    return f"{title}{told}<table>{head}{body}</table>"


def plot(curve: Curve) -> str:
    """The sum of net outcomes over time as a line, with the zero line; a sentence where there is none."""
    if len(curve.sum_bps) < 2:  # a line needs two points
        return "<p class='muted'>Too few events for a line.</p>"
    low, high = min(0.0, *curve.sum_bps), max(0.0, *curve.sum_bps)
    span = (high - low) or 1.0
    first, last = curve.time_ns[0], curve.time_ns[-1]
    width = (last - first) or 1

    def across(time_ns: int) -> float:
        return EDGE + (WIDTH - 2 * EDGE) * (time_ns - first) / width

    def down(value: float) -> float:
        return EDGE + (HEIGHT - 2 * EDGE) * (high - value) / span

    points = " ".join(
        f"{across(t):.1f},{down(v):.1f}" for t, v in zip(curve.time_ns, curve.sum_bps, strict=True)
    )
    label = f"Sum of net outcomes from {iso_ms(first)[:10]} to {iso_ms(last)[:10]}: {curve.sum_bps[-1]:+,.0f} bps of one notional"
    return (
        f"<figure><svg viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}' role='img' aria-label='{escape(label)}'>"
        f"<line x1='{EDGE}' x2='{WIDTH - EDGE}' y1='{down(0.0):.1f}' y2='{down(0.0):.1f}' stroke='#bbb'/>"
        f"<polyline points='{points}' fill='none' stroke='#1f5fa8' stroke-width='1.5'/></svg>"
        f"<figcaption class='muted'>{escape(label)}</figcaption></figure>"
    )
