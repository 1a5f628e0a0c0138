from __future__ import annotations

from dataclasses import replace

import pytest

from sextant.confluence.catalog import dimensions
from sextant.confluence.contract import Dimension, SubScore
from sextant.confluence.nodes import Column, Rolled, mapped
from sextant.confluence.normalise import Per
from sextant.errors import ConfigError

SUB = SubScore(name="one", weight=1.0, family="trend", signal=mapped(Per(1.0), Column("close")), rows=1)


def test_weights_of_a_dimension_must_sum_to_one() -> None:
    assert Dimension(name="d", weight=1.0, sub_scores=(SUB,)).sub_scores == (SUB,)
    with pytest.raises(ConfigError, match=r"sum to 0\.5"):
        Dimension(name="d", weight=1.0, sub_scores=(replace(SUB, weight=0.5),))


def test_two_sub_scores_of_one_name_are_refused() -> None:
    half = replace(SUB, weight=0.5)
    with pytest.raises(ConfigError, match="one name"):
        Dimension(name="d", weight=1.0, sub_scores=(half, half))


@pytest.mark.parametrize("change", [{"weight": 0.0}, {"intervals": ()}, {"streams": ()}, {"rows": 0}])
def test_sub_score_without_weight_interval_stream_or_rows_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(SUB, **change)  # type: ignore[arg-type]  # what is refused


def test_rows_are_counted_from_the_last_hole_or_from_the_first_value() -> None:
    assert isinstance(SUB.settled, Rolled)
    assert SUB.settled.how == "run"
    tolerant = replace(SUB, tolerates=True).settled
    assert isinstance(tolerant, Rolled)
    assert tolerant.how == "age"


def test_optional_columns_are_not_asked_for() -> None:
    volume = next(one for one in dimensions() if one.name == "volume")
    sub = next(one for one in volume.sub_scores if one.name == "relative_volume")
    assert "taker_buy_volume" not in sub.columns
