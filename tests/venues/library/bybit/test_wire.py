from __future__ import annotations

import msgspec
import pytest

from sextant.errors import WireError
from sextant.venues.library.bybit.wire import decode


def test_the_venue_is_named_in_what_is_refused() -> None:
    with pytest.raises(WireError, match="Bybit probe: ") as raised:
        decode(msgspec.json.Decoder(int), b'"x"', "probe")
    assert raised.value.facts["field"] == ""
