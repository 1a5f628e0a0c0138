from __future__ import annotations

import numpy as np
import pytest

from sextant.confluence.decision import (
    LONG,
    NEUTRAL,
    SHORT,
    STATES,
    SYMMETRIC,
    Lines,
    decide,
    entry,
    leave_line,
    machine,
)

PINNED = (
    ".10 U, .10 N, .41 N, .39 N, .40 N, .42 L, .33 L, .30 L, .299 N, .45 N, .45/.45 N, .45 N, .46 L, -.40 N,"
    " -.55 S, -.35 S, -.20/.45 S, -.20/.45 U, -.45/.52 U, -.45/.56 U, -.45/.56 N, -.45 N, -.45 S"
)
"""The sequence of the specification: D, at a coverage of .9 unless stated, and the state after it."""

Step = tuple[float, float, str]


def steps() -> list[Step]:
    found = []
    for item in PINNED.split(", "):
        number, letter = item.split()
        d, _, k = number.partition("/")
        found.append((float(d), float(k or 0.9), letter))
    return found


def run(d: list[float], k: list[float], stress: float = 0.0, lines: Lines = SYMMETRIC) -> list[str]:
    column = [np.array(x)[:, None] for x in (d, k, [stress] * len(d))]
    states = decide(machine(1), column[0], column[1], column[2], lines)
    return [STATES[state][0].upper() for state in states[:, 0]]


def test_pinned_sequence_is_followed() -> None:
    d, k, wanted = zip(*steps(), strict=True)
    assert run(list(d), list(k)) == list(wanted)


def test_mirrored_sequence_gives_the_mirrored_states() -> None:
    d, k, wanted = zip(*steps(), strict=True)
    swap = {"L": "S", "S": "L"}
    assert run([-x for x in d], list(k)) == [swap.get(x, x) for x in wanted]


def test_row_by_row_equals_all_at_once() -> None:
    rng = np.random.default_rng(1)
    d, k, e = rng.uniform(-0.7, 0.7, (300, 5)), rng.uniform(0.4, 1, (300, 5)), rng.uniform(0, 0.1, (300, 5))
    whole = decide(machine(5), d, k, e)
    state = machine(5)
    rows = [decide(state, d[t : t + 1], k[t : t + 1], e[t : t + 1]) for t in range(300)]
    assert np.array_equal(whole, np.vstack(rows))


def test_noise_around_the_line_changes_the_state_at_most_once_in_ten_bars() -> None:
    rng = np.random.default_rng(2)
    d = 0.40 + rng.uniform(-0.04, 0.04, (5000, 8))
    states = decide(machine(8), d, np.full(d.shape, 0.9), np.zeros(d.shape))
    changed = np.diff(states, axis=0) != 0
    in_ten = np.lib.stride_tricks.sliding_window_view(changed[5:], 10, axis=0).sum(axis=-1)
    assert in_ten.max() <= 1


def test_long_and_short_never_touch() -> None:
    rng = np.random.default_rng(4)
    d = rng.choice([-0.9, -0.45, 0.0, 0.45, 0.9], (4000, 6))
    states = decide(machine(6), d, rng.choice([0.45, 0.9], d.shape), np.zeros(d.shape))
    before, after = states[:-1], states[1:]
    assert not ((before == LONG) & (after == SHORT)).any()
    assert not ((before == SHORT) & (after == LONG)).any()
    assert {LONG, SHORT, NEUTRAL} <= set(np.unique(states).tolist())


def test_stress_moves_the_entering_line_and_not_the_leaving_one() -> None:
    assert run([0, 0, 0.49, 0.49, 0.49], [0.9] * 5, stress=0.1)[-1] == "N"
    assert run([0, 0, 0.50, 0.50, 0.31], [0.9] * 5, stress=0.1)[-2:] == ["L", "L"]
    assert entry(np.array([0.5]), np.array([1.0])) == pytest.approx(0.1)
    assert entry(np.array([0.0]), np.array([0.0])) == 0.0


def test_asymmetric_lines_are_a_setting_that_says_so() -> None:
    lines = Lines(long=0.40, short=0.30)
    assert not lines.symmetric
    assert run([0, 0, -0.35, -0.35], [0.9] * 4, lines=lines)[-1] == "S"
    assert run([0, 0, -0.35, -0.35], [0.9] * 4)[-1] == "N"


def test_states_that_can_be_left_say_where() -> None:
    assert [leave_line(state) for state in range(4)] == [0.0, 0.0, 0.30, -0.30]
