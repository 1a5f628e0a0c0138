"""One account at one venue: read again and again, in order, and shown as old when the venue is away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from sextant.errors import BudgetExceeded, Rejected, VenueError, WireError
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline
from sextant.kit.http import Answer, RestClient
from sextant.model.account import Account, Profile
from sextant.model.balance import Position
from sextant.model.credentials import Credentials
from sextant.venues.port import Accounts, Request, Statement, SymbolTable, Venue

READ_S: Final = 5.0  # api.md 2.6: a fresh portfolio is answered within five seconds or not at all
EVERY_S: Final = 10.0  # how often it is read unasked, so that whoever asks need not wait
COVERED_S: Final = 60.0  # api.md 2.6: a reading this old is still an answer
SPELLINGS_S: Final = 3_600.0  # how long the venue's spellings stand before new listings are looked for
MOST_PAGES: Final = 20
REFUSALS: Final = 2  # of the key itself, in a row, before it is not used again until its owner acts
TELLING_NS: Final = 1_000_000_000  # a clock that differs by more from the venue's is told
AUTH: Final = frozenset({"auth", "permission", "address"})

_LOG: Final = log.get("portfolio")


@dataclass(frozen=True)
class _Known:
    """The newest whole reading."""

    statement: Statement
    positions: tuple[Position, ...]
    unlisted: tuple[str, ...]


class AccountReader:
    """Reads one account with one key.

    Parameters
    ----------
    venue
        Where; one whose accounts are read.
    credentials
        Whose.
    client
        Asks the venue; open for as long as this reads.
    clock
        Of deadlines, signatures and what is kept.

    Notes
    -----
    Calls of one key are made one after another. Nothing here can order or move anything. A read that the venue refuses
    for its time is repeated once by the venue's clock; a key that is refused twice in a row is not used again, so that it
    does no harm to the others behind this address: ``paused`` says what its owner has to mend.
    """

    def __init__(self, venue: Venue, credentials: Credentials, client: RestClient, clock: Clock) -> None:
        self._venue = venue
        self._credentials = credentials
        self._client = client
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: _Known | None = None
        self._read_ns: int | None = None
        self._spelt: SymbolTable | None = None
        self._spelt_ns = 0
        self._failing = False
        self._ahead_ns = 0
        self._refused = 0
        self.paused = ""

    async def watch(self) -> None:
        """Read again and again until cancelled."""
        while True:
            async with self._lock:
                await self._refresh()
            await self._clock.sleep(EVERY_S)

    async def account(self, profile: Profile) -> Account:
        """The account as it is known now, for a risk profile; the venue is asked only where nothing newer than a minute is.

        Notes
        -----
        While the venue is away the last whole reading is given with coverage 0 and its own times, so that whoever needs a
        covered account says that it is not; before the first there is no account at all.
        """
        if not self._covered:
            async with self._lock:
                if not self._covered:
                    await self._refresh()
        known = self._known
        if known is None:
            return Account(profile=profile)
        equity, free = known.statement.equity_usd, known.statement.free_usd
        return Account(
            equity_usd=equity if equity is not None and equity > 0 else None,
            coverage_frac=1.0 if self._covered and not known.unlisted else 0.0,
            free_usd={} if free is None else {self._venue.name: free},
            profile=profile,
            balances=known.statement.balances,
            positions=known.positions,
        )

    @property
    def _covered(self) -> bool:
        """Whether the newest whole reading is still an answer."""
        return self._read_ns is not None and self._age_s(self._read_ns) <= COVERED_S

    async def _refresh(self) -> None:
        """Take a new reading, if the venue answers all that is asked."""
        how = self._venue.variations.accounts
        if how is None or self.paused:
            return
        try:
            self._known = await self._read(how, Deadline(self._clock, READ_S))
        except (VenueError, BudgetExceeded) as error:
            self._refused = self._refused + 1 if error.reason in AUTH else 0
            if self._refused >= REFUSALS:
                self.paused = f"{error.reason}: {error.message}"
                _LOG.error("account.paused", venue=self._venue.name, reason=error.reason)
            elif not self._failing:
                _LOG.warning(
                    "account.unreadable", venue=self._venue.name, reason=error.reason, code=error.code
                )
            self._failing = True
            return
        if self._failing:
            _LOG.info("account.readable", venue=self._venue.name)
        self._failing = False
        self._refused = 0
        self._read_ns = self._clock.monotonic_ns()

    async def _read(self, how: Accounts, deadline: Deadline) -> _Known:
        table = await self._table(how, deadline)
        answer = await self._ask(how, how.balances_request(), deadline)
        statement = how.parse_balances(answer.body)
        positions: list[Position] = []
        unlisted: list[str] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            answer = await self._ask(how, how.positions_request(cursor), deadline)
            page = how.parse_positions(answer.body, table)
            positions += page.positions
            unlisted += page.unlisted
            cursor = page.cursor
            if cursor is None:
                return _Known(statement, tuple(positions), tuple(unlisted))
        raise self._endless("positions")

    async def _table(self, how: Accounts, deadline: Deadline) -> SymbolTable:
        """The spellings in which positions are told."""
        if self._spelt is not None and self._age_s(self._spelt_ns) <= SPELLINGS_S:
            return self._spelt
        table = SymbolTable()
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            request = self._venue.instruments_request(how.category, cursor)
            answer = await self._client.get(request.path, request.query, deadline)
            page = self._venue.parse_instruments(answer.body, answer.receive_ns)
            for listing in page.listings:
                table.add(listing)
            cursor = page.cursor
            if cursor is None:
                self._spelt, self._spelt_ns = table, self._clock.monotonic_ns()
                return table
        raise self._endless("instruments")

    def _endless(self, what: str) -> WireError:
        words = f"{self._venue.name} states more than {MOST_PAGES} pages of {what}."
        return WireError(words, reason="pages", field="cursor")

    async def _ask(self, how: Accounts, request: Request, deadline: Deadline) -> Answer:
        def signed() -> dict[str, str]:
            return how.sign(self._credentials, self._clock.now_ns() + self._ahead_ns, request)

        try:
            return await self._client.get(request.path, request.query, deadline, signed)
        except Rejected as refused:
            if refused.reason != "clock":
                raise
            self._set_by(int(refused.facts["venue_ns"]))
        return await self._client.get(request.path, request.query, deadline, signed)

    def _set_by(self, venue_ns: int) -> None:
        """Sign by the venue's clock from now on."""
        before, self._ahead_ns = self._ahead_ns, venue_ns - self._clock.now_ns()
        if abs(self._ahead_ns - before) > TELLING_NS:
            _LOG.warning("clock.differs", venue=self._venue.name, ahead_s=self._ahead_ns / 1e9)

    def _age_s(self, since_ns: int) -> float:
        return (self._clock.monotonic_ns() - since_ns) / 1e9
