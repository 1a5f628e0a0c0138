"""The market as time passes: one tape, summary and set of depth feeds per instrument, made when first asked for."""

from __future__ import annotations

from sextant.sim.books import DEEPEST, DepthFeed
from sextant.sim.market_model import MarketModel
from sextant.sim.summary import Summary
from sextant.sim.tape import Tape
from sextant.sim.universe import Listing


class Live:
    """Holds what has been asked for.

    Parameters
    ----------
    model
        The market.
    pace
        Factor on how often each instrument trades.
    """

    def __init__(self, model: MarketModel, pace: float) -> None:
        self.model = model
        self._pace = pace
        self._tapes: dict[int, Tape] = {}
        self._summaries: dict[int, Summary] = {}
        self._feeds: dict[tuple[int, int], DepthFeed] = {}
        self._gone: set[int] = set()
        self._followed: set[tuple[int, str]] = set()

    def listings(self) -> list[Listing]:
        """The instruments that trade now."""
        return [listing for listing in self.model.listings if self.listed(listing)]

    def listed(self, listing: Listing) -> bool:
        """Whether the instrument still trades."""
        return listing.position not in self._gone

    def find(self, category: str, symbol: str) -> Listing | None:
        """The instrument of that spelling if it trades now, else None."""
        found = self.model.find(category, symbol)
        return found if found is not None and self.listed(found) else None

    def delist(self, category: str, symbol: str) -> None:
        """End the trading of an instrument; an unknown one changes nothing."""
        found = self.model.find(category, symbol)
        if found is not None:
            self._gone.add(found.position)

    def retick(self, category: str, symbol: str) -> None:
        """Make the price step of an instrument ten times coarser; an unknown one changes nothing."""
        found = self.find(category, symbol)
        if found is None:
            return
        self.model.relist(found.coarser())
        self._tapes.pop(found.position, None)
        self._summaries.pop(found.position, None)
        for key in [key for key in self._feeds if key[0] == found.position]:
            del self._feeds[key]

    def follow(self, listing: Listing, topic: str) -> None:
        """Somebody listens to the topic."""
        self._followed.add((listing.position, topic))

    def unfollow(self, listing: Listing, topic: str) -> None:
        """Nobody listens to the topic any more."""
        self._followed.discard((listing.position, topic))

    def deepest(self, listing: Listing, now_ms: int) -> DepthFeed:
        """The feed of 1,000 levels, by which REST answers are numbered.

        Notes
        -----
        Brought up to now unless somebody listens: a listener must get every number, so then the answer is what it was told last.
        """
        feed = self.feed(listing, DEEPEST)
        if (listing.position, f"orderbook.{DEEPEST}.{listing.symbol}") not in self._followed:
            book = self.tape(listing).current(now_ms, DEEPEST)
            if not feed.same(book):
                feed.push(book)
        return feed

    def tape(self, listing: Listing) -> Tape:
        """The tape of an instrument."""
        found = self._tapes.get(listing.position)
        if found is None:
            found = self._tapes[listing.position] = Tape(self.model, listing, self._pace)
        return found

    def summary(self, listing: Listing) -> Summary:
        """The summary that its socket subscribers follow."""
        found = self._summaries.get(listing.position)
        if found is None:
            found = self._summaries[listing.position] = Summary(self.tape(listing))
        return found

    def feed(self, listing: Listing, depth: int) -> DepthFeed:
        """The feed of one depth."""
        found = self._feeds.get((listing.position, depth))
        if found is None:
            first = 1_000_000 + listing.position * 1_000 + depth
            found = self._feeds[listing.position, depth] = DepthFeed(depth, first)
        return found

    def known_feed(self, listing: Listing, depth: int) -> DepthFeed | None:
        """The feed of one depth where somebody has subscribed to it, else None."""
        return self._feeds.get((listing.position, depth))
