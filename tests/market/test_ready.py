from __future__ import annotations

from sextant.market import levels, sampling, withdrawing
from sextant.market.applying import apply_messages
from sextant.market.ready import make_ready


def test_afterwards_nothing_is_compiled_any_more() -> None:
    make_ready()
    for kernel in (
        apply_messages,
        levels.change,
        levels.merge,
        levels.cut,
        levels.uncrossed,
        sampling.begin,
        sampling.restart_flow,
        sampling.sample_upto,
        withdrawing.note_trade,
    ):
        assert getattr(kernel, "signatures", [])
