from __future__ import annotations

import random
from collections import Counter

import pytest

from sextant.model.opportunity import Disposition, DispositionKind
from sextant.scans.blobs import pack_answers
from sextant.scans.coverage_pages import Stored, Wanted, page_of
from sextant.scans.records import StrategyReport
from sextant.strategies.answers import each
from support.scans import disposition

KINDS: tuple[DispositionKind, ...] = ("opportunity", "gate_failed", "late")
UNITS = tuple(f"bybit:C{n}-USDT:perpetual" for n in range(7))


def stored(seed: int) -> tuple[list[Stored], list[tuple[str, Disposition]]]:
    """Reports with packed candidates as the store holds them, and the candidates one after another."""
    dice = random.Random(seed)  # noqa: S311  # repeatable, no secret
    rows: list[Stored] = []
    everything: list[tuple[str, Disposition]] = []
    for number in range(dice.randrange(1, 6)):
        name = f"strategy-{number}"
        if dice.random() < 0.2:
            rows.append((StrategyReport(strategy_id=name, name=name), None))
            continue
        items = [disposition(dice.choice(UNITS), dice.choice(KINDS)) for _ in range(dice.randrange(9))]
        kinds = Counter(item.kind for item in items)
        report = StrategyReport(
            strategy_id=name, name=name, outcome="ok", candidates=len(items), dispositions=dict(kinds)
        )
        rows.append((report, pack_answers(each(items))))
        everything += [(name, item) for item in items]
    return rows, everything


def wanted_of(dice: random.Random) -> Wanted:
    return Wanted(
        strategy_id=dice.choice([None, None, "strategy-0", "strategy-1", "strategy-9"]),
        instrument=dice.choice([None, None, UNITS[0], UNITS[3].lower(), "nothing of that name"]),
        kind=dice.choice([None, None, *KINDS]),
    )


@pytest.mark.parametrize("seed", range(200))
async def test_pages_put_together_are_every_wanted_candidate_once_in_order(seed: int) -> None:
    rows, everything = stored(seed)
    dice = random.Random(seed)  # noqa: S311  # repeatable, no secret
    wanted, limit = wanted_of(dice), dice.randrange(1, 8)
    expected = [
        (name, item)
        for name, item in everything
        if wanted.strategy_id in (None, name)
        and wanted.kind in (None, item.kind)
        and (wanted.instrument is None or wanted.instrument.upper() == item.unit.upper())
    ]
    seen: list[tuple[str, Disposition]] = []
    further = True
    while further:
        page, further = await page_of(rows, wanted, len(seen), limit)
        assert len(page) == limit or not further
        seen += page
    assert seen == expected


async def test_a_strategy_behind_the_page_is_not_unpacked() -> None:
    items = [disposition(unit, "gate_failed") for unit in UNITS]
    report = StrategyReport(
        strategy_id="a",
        name="A",
        outcome="ok",
        candidates=len(items),
        dispositions={"gate_failed": len(items)},
    )
    rows: list[Stored] = [(report, pack_answers(each(items))), (report, b"no blob of this product")]
    page, further = await page_of(rows, Wanted(), 0, len(items))
    assert [item.unit for _, item in page] == list(UNITS)
    assert further
    page, further = await page_of(list(reversed(rows)), Wanted(kind="gate_failed"), len(items), 3)
    assert [item.unit for _, item in page] == list(UNITS[:3])
    assert further
