from __future__ import annotations

import pytest

from sextant.errors import ConfigError
from sextant.strategies.contract import Param


def test_a_default_outside_its_own_bounds_is_refused() -> None:
    assert Param("trend", 0.5, 0.3, 0.9, "fraction").default == 0.5
    with pytest.raises(ConfigError, match=r"trend.*0\.2"):
        Param("trend", 0.2, 0.3, 0.9, "fraction")
