from __future__ import annotations

from sextant.market.names import KEEP_NAMES, PLACES, TradeNames, has_room, known
from sextant.model.cells import digest_of


def test_a_name_is_new_once() -> None:
    names = TradeNames()
    assert not has_room(names.cells.at)
    assert names.take("a")
    assert not names.take("a")
    assert names.take("b")
    assert known(names.cells.at, digest_of(b"a"))
    assert not known(names.cells.at, digest_of(b"c"))


def test_the_newest_thousand_are_remembered_and_older_ones_forgotten() -> None:
    names = TradeNames()
    for number in range(3 * KEEP_NAMES + 5):
        assert names.take(f"trade {number}")
    assert list(map(len, names.content())) == [5, KEEP_NAMES]
    assert not names.take(f"trade {2 * KEEP_NAMES + 6}")
    assert names.take("trade 7")


def test_names_whose_digests_share_a_place_are_told_apart() -> None:
    names, first = TradeNames(), digest_of(b"0") & (PLACES - 1)
    same = [text for text in map(str, range(40_000)) if digest_of(text.encode()) & (PLACES - 1) == first]
    assert len(same) > 5
    assert all(names.take(text) for text in same)
    assert not any(names.take(text) for text in same)


def test_names_go_on_from_their_content() -> None:
    names, other = TradeNames(), TradeNames()
    for number in range(KEEP_NAMES + 9):
        names.take(str(number))
    other.restore(names.content())
    assert other.content() == names.content()
    for each in (names, other):
        assert not each.take("3")
        assert each.take("new")
    other.restore(())
    assert other.take("3")
