from __future__ import annotations

import pytest

from sextant.confluence import catalog
from sextant.confluence.catalog import dimensions, voices


def test_six_dimensions_have_the_weights_of_the_specification() -> None:
    assert [(one.name, one.weight) for one in dimensions()] == [
        ("orderflow", 0.30),
        ("orderbook", 0.20),
        ("volume", 0.18),
        ("price_structure", 0.15),
        ("technical", 0.10),
        ("sentiment", 0.07),
    ]


def test_forty_one_voices_share_the_whole() -> None:
    assert len(voices()) == 41
    assert sum(voice.weight for voice in voices()) == pytest.approx(1.0, abs=1e-12)
    assert len({voice.name for voice in voices()}) == 41
    assert catalog.voices() is voices()


def test_spot_instrument_at_its_best_is_covered_as_the_specification_says() -> None:
    best = sum(voice.weight for voice in voices() if "spot" in voice.sub.kinds)
    assert best == pytest.approx(0.9165, abs=1e-12)
