from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from msgspec import UNSET

from sextant.model.bar import BarBlock
from sextant.model.events import DerivativesUpdate, Event, QuoteUpdate
from sextant.model.instrument import Instrument

_BTC = Instrument("bybit", "BTC", "USDT", "perpetual")


@pytest.mark.parametrize("kind", get_args(Event))
def test_every_event_says_when_it_was_true_and_when_it_came(kind: type[msgspec.Struct]) -> None:
    assert {"event_ns", "receive_ns"} <= set(kind.__struct_fields__)


@pytest.mark.parametrize("kind", [kind for kind in get_args(Event) if kind is not BarBlock])
def test_events_cannot_be_changed(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen


def test_what_a_source_did_not_mention_is_unset_and_what_does_not_apply_is_none() -> None:
    update = DerivativesUpdate(_BTC, 1, 2, funding_rate=None)
    assert update.funding_rate is None
    assert update.mark is UNSET
    assert QuoteUpdate(_BTC, 1, 2, bid=1.0).ask is UNSET
