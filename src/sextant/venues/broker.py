"""One door to a venue's REST interface: within its budgets, in order of importance, and not at all while it must rest."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from sextant.errors import Rejected, Throttled, Unreachable, VenueError, WireError
from sextant.kit import log
from sextant.kit.breaker import Breaker, BreakerRules, Circuit
from sextant.kit.clock import Clock, Deadline
from sextant.kit.http import Answer
from sextant.kit.silences import ScopeSilence, Silences
from sextant.kit.spending import DrainingCounter, RollingWindow, Spending
from sextant.venues.shared_budgets import SharedBudgets, Want

Priority = Literal["account", "book", "scan", "backfill"]
Scope = Literal["address", "key", "user", "pool"]
Status = Literal["healthy", "limited", "failing", "retired", "needs_key"]

T = TypeVar("T")

PART: Final[Mapping[Priority, float]] = {"account": 1.0, "book": 0.9, "scan": 0.8, "backfill": 0.6}
"""Share of every budget that a priority may fill, in order of importance, so that the later leave room."""

MOST_WAITING: Final = 1_000
LONGEST_NAP_S: Final = 1.0  # others may leave room sooner than was planned
REFUSALS: Final = 2  # of one key, before it is paused until its owner acts
HOPELESS: Final = frozenset({"dns", "tls"})  # the same failure would come again at once
AUTH: Final = frozenset({"auth", "permission", "address"})
ADDRESS: Final = ""
"""The holder of budgets of the address: there is one."""

_ORDER: Final = {priority: place for place, priority in enumerate(PART)}
_SECOND_NS: Final = 1_000_000_000
_LOG: Final = log.get("venues")


@dataclass(frozen=True, slots=True)
class Limit:
    """What a venue allows one holder.

    Parameters
    ----------
    name
        As weights and learnt values name it.
    scope
        Who is counted: the address, a key, a user of the venue, or a pool of paths.
    most
        Weight allowed in any ``window_s``, or the highest level of a counter.
    window_s
        Length of the rolling window; of a counter the seconds in which it falls from ``most`` to 0.
    draining
        Whether it is a counter that falls steadily.
    share
        Part of it that this process spends; the rest is for others and for clocks that differ.
    """

    name: str
    scope: Scope
    most: float
    window_s: float
    draining: bool = False
    share: float = 0.8

    def spending(self) -> Spending:
        """Nothing spent of it yet."""
        most = self.most * self.share
        if self.draining:
            return DrainingCounter(most, most / self.window_s)
        return RollingWindow(most, self.window_s)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What an answer's headers say of a budget: weight used, weight allowed, seconds of silence asked for."""

    name: str
    used: float | None = None
    most: float | None = None
    silent_s: float | None = None


def _nothing(_: str, __: Mapping[str, str]) -> Sequence[Learnt]:
    """Headers of a venue that states nothing in them."""
    return ()


def _address(_: Throttled) -> Scope:
    """Whom a venue means that counts addresses only."""
    return "address"


@dataclass(frozen=True, slots=True)
class Policy:
    """How a venue may be asked.

    Parameters
    ----------
    venue
        Its name.
    limits
        Its budgets.
    weigh
        A path to its weight in each budget, by name.
    read
        Path and headers of an answer, by lower-case name, to what they say.
    blames
        Whom the venue asks for silence by an error.
    breaker
        When it is left alone.
    retired
        Why it is not asked at all any more; empty while it is.
    """

    venue: str
    limits: tuple[Limit, ...]
    weigh: Callable[[str], Mapping[str, float]]
    read: Callable[[str, Mapping[str, str]], Sequence[Learnt]] = _nothing
    blames: Callable[[Throttled], Scope] = _address
    breaker: BreakerRules = field(default_factory=BreakerRules)
    retired: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One question.

    Parameters
    ----------
    path
        Below the base URL.
    priority
        How important it is.
    holders
        Whose key, user and pool are counted, by scope; never a secret, but its name.
    """

    path: str
    priority: Priority
    holders: Mapping[Scope, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VenueState:
    """A venue as health pages show it: status, why, and the seconds until it may change by itself, if it may."""

    status: Status
    reason: str = ""
    retry_after_s: float | None = None
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of an allowance is spent; ``room_s`` is how long one more call of weight 1 would wait for room."""

    used: float
    most: float
    window_s: float
    room_s: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a call would meet now: the breaker, and of all budgets the one that is fullest; None before any is known."""

    circuit: Circuit
    budget: Budget | None


@dataclass(eq=False)
class _Ticket:
    """A call that waits for room."""

    order: tuple[int, int]
    call: Call
    weights: Mapping[tuple[str, str], float]
    deadline: Deadline
    admitted: asyncio.Future[None]


class Broker:
    """Lets calls to one venue pass.

    Parameters
    ----------
    policy
        How the venue may be asked.
    clock
        Of windows, waits and deadlines.
    silences
        Where bans are kept for all processes of the machine, and over restarts.

    Notes
    -----
    A call is refused at once when the venue rests (retired, banned, failing, a key that was refused), and when
    the budgets, with all more important and earlier calls before it, have no room for it before its deadline.
    Calls of equal priority pass in the order in which they asked.
    """

    def __init__(self, policy: Policy, clock: Clock, silences: Silences) -> None:
        self._policy = policy
        self._clock = clock
        self._silences = silences
        self._limits = {limit.name: limit for limit in policy.limits}
        self._spent: dict[tuple[str, str], Spending] = {}
        self._breaker = Breaker(clock, policy.breaker)
        self._refusals: dict[str, int] = {}
        self._needs_key = ""
        self._waiting: list[_Ticket] = []
        self._numbers = itertools.count()
        self._waker: asyncio.Task[None] | None = None
        self._shared: SharedBudgets | None = None

    def share(self, budgets: SharedBudgets | None) -> None:
        """Spend together with other processes, where there is something to spend from; before the first call."""
        self._shared = budgets

    async def run(self, call: Call, deadline: Deadline, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer that ``work`` brings, once the venue may be asked.

        Parameters
        ----------
        call
            What is asked.
        deadline
            Of waiting and work together.
        work
            Asks once; what it raises is judged and raised on.

        Raises
        ------
        Throttled
            The venue is banned or silent, or has no room before the deadline; nothing was asked.
        Unreachable
            It keeps failing and is left alone; nothing was asked.
        Rejected
            It is retired, or the key was refused before; nothing was asked.
        VenueError
            What ``work`` raised.
        """
        self._refuse_resting(call)
        await self._admit(call, deadline)
        await self._agree(call, deadline)
        self._refuse_resting(call)
        if not self._breaker.enter():
            raise self._failing()
        try:
            answer = await work()
        except VenueError as error:
            self._judge(call, error)
            raise
        finally:
            self._breaker.leave()  # whoever was cancelled judged nothing
        self._breaker.succeed()
        self._refusals.pop(call.holders.get("key", ADDRESS), None)
        self._needs_key = ""
        self._learn(call, answer.headers)
        return answer

    def state(self) -> VenueState:
        """The venue as it is now."""
        waiting = len(self._waiting)
        if self._policy.retired:
            return VenueState("retired", self._policy.retired, None, waiting)
        if self._needs_key:
            return VenueState("needs_key", self._needs_key, None, waiting)
        if self._breaker.circuit != "closed":
            return VenueState("failing", self._breaker.reason, self._breaker.remaining_s(), waiting)
        silent_s, why = self._silences.remaining(self._scope(ADDRESS))
        if silent_s > 0:
            return VenueState("limited", why, silent_s, waiting)
        return VenueState("limited", "budget", None, waiting) if waiting else VenueState("healthy")

    def allowance(self) -> Allowance:
        """What a call would meet now."""
        now_ns = self._clock.monotonic_ns()
        budgets = [
            Budget(
                spending.used(now_ns),
                spending.most,
                self._limits[name].window_s,
                spending.room_s(1.0, now_ns),
            )
            for name, spending in self._known_spending().items()
        ]
        fullest = max(budgets, key=lambda budget: budget.used / budget.most, default=None)
        return Allowance(self._breaker.circuit, fullest)

    def _known_spending(self) -> dict[str, Spending]:
        """Each budget by name; of one that is counted by holder the fullest, of one that nobody has used an empty one."""
        now_ns = self._clock.monotonic_ns()
        found = {name: limit.spending() for name, limit in self._limits.items()}
        for (name, _), spending in self._spent.items():
            if spending.used(now_ns) >= found[name].used(now_ns):
                found[name] = spending
        return found

    def silence(self) -> ScopeSilence:
        """The silence of this address towards the venue; sockets keep it, too."""
        return self._silences.of(self._scope(ADDRESS))

    def paused(self, key: str) -> bool:
        """Whether a key was refused so often that it is not used until :meth:`renew`."""
        return self._refusals.get(key, 0) >= REFUSALS

    def renew(self, key: str) -> None:
        """Use a key again: its owner has acted."""
        self._refusals.pop(key, None)
        self._needs_key = ""

    # -- what rests --------------------------------------------------------------------------------

    def _refuse_resting(self, call: Call) -> None:
        name = self._policy.venue
        if self._policy.retired:
            raise Rejected(f"{name} is retired: {self._policy.retired}", reason="retired", venue=name)
        key = call.holders.get("key")
        if key is not None and self.paused(key):
            raise Rejected(
                f"{name} refused this key {REFUSALS} times.", reason="needs_key", venue=name, key=key
            )
        for holder in (ADDRESS, *call.holders.values()):
            silent_s, why = self._silences.remaining(self._scope(holder))
            if silent_s > 0:
                raise Throttled(
                    f"{name} may be asked again in {silent_s:.0f} s: {why}",
                    retry_after_s=silent_s,
                    reason="silence",
                    venue=name,
                )
        if self._breaker.circuit == "open":
            raise self._failing()

    def _failing(self) -> Unreachable:
        wait_s = self._breaker.remaining_s()
        return Unreachable(
            f"{self._policy.venue} keeps failing ({self._breaker.reason}); it is tried again in {wait_s:.0f} s.",
            reason="failing",
            venue=self._policy.venue,
            retry_after_s=wait_s,
        )

    def _scope(self, holder: str) -> str:
        return f"{self._policy.venue}|{holder}"

    def _judge(self, call: Call, error: VenueError) -> None:
        """Remember what a failure says about the venue, the address or the key."""
        if isinstance(error, Throttled):
            self._breaker.leave()
            holder = call.holders.get(self._policy.blames(error), ADDRESS)
            stated = (item.silent_s or 0.0 for item in self._policy.read(call.path, error.told))
            seconds = max((error.retry_after_s, *stated))
            self._silences.ask(self._scope(holder), seconds, error.message[:200])
            _LOG.warning("venue.limited", venue=self._policy.venue, seconds=seconds, reason=error.reason)
        elif isinstance(error, Unreachable | WireError):
            reason = error.reason or error.code
            before = self._breaker.circuit
            self._breaker.fail(reason, at_once=reason in HOPELESS)
            if before == "closed" and self._breaker.circuit == "open":
                _LOG.warning("venue.failing", venue=self._policy.venue, reason=reason)
        else:
            # The venue understood: it is there. Only the key may be at fault.
            self._breaker.succeed()
            if error.reason in AUTH:
                self._refuse_key(call.holders.get("key"), error)

    def _refuse_key(self, key: str | None, error: VenueError) -> None:
        if key is None:
            self._needs_key = error.message[:200]
            return
        self._refusals[key] = self._refusals.get(key, 0) + 1
        if self.paused(key):
            _LOG.warning("venue.key_paused", venue=self._policy.venue, reason=error.reason)

    def _learn(self, call: Call, headers: Mapping[str, str]) -> None:
        now_ns = self._clock.monotonic_ns()
        for item in self._policy.read(call.path, headers):
            limit = self._limits.get(item.name)
            if limit is None:
                continue
            spending = self._spending(limit, call)
            if item.most is not None and item.most > 0:
                spending.most = item.most * limit.share
            if item.used is not None:
                spending.learn_used(item.used, now_ns)
            if item.silent_s is not None and item.silent_s > 0:
                holder = call.holders.get(limit.scope, ADDRESS)
                self._silences.ask(self._scope(holder), item.silent_s, f"{item.name} is spent")

    # -- who waits ---------------------------------------------------------------------------------

    def _spending(self, limit: Limit, call: Call) -> Spending:
        holder = ADDRESS if limit.scope == "address" else call.holders.get(limit.scope, ADDRESS)
        return self._spent_by(limit.name, holder)

    def _spent_by(self, name: str, holder: str) -> Spending:
        spending = self._spent.get((name, holder))
        if spending is None:
            spending = self._spent[name, holder] = self._limits[name].spending()
        return spending

    def _weights(self, call: Call) -> dict[tuple[str, str], float]:
        found: dict[tuple[str, str], float] = {}
        for name, weight in self._policy.weigh(call.path).items():
            scope = self._limits[name].scope
            holder = ADDRESS if scope == "address" else call.holders.get(scope, ADDRESS)
            found[name, holder] = weight
        return found

    async def _admit(self, call: Call, deadline: Deadline) -> None:
        weights = self._weights(call)
        order = (_ORDER[call.priority], next(self._numbers))
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ticket = _Ticket(order, call, weights, deadline, admitted)
        if len(self._waiting) >= MOST_WAITING:
            raise self._full(ticket.call, math.inf)
        self._waiting.append(ticket)
        self._waiting.sort(key=lambda each: each.order)
        self._let_pass()
        try:
            await admitted
        finally:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                self._let_pass()

    async def _agree(self, call: Call, deadline: Deadline) -> None:
        """Wait until what this process has admitted fits beside what others have."""
        if self._shared is None:
            return
        part = PART[call.priority]
        wants = [
            Want(
                name=f"{self._policy.venue}|{name}|{holder}",
                weight=weight,
                most=self._spent_by(name, holder).most,
                part=part,
                window_s=self._limits[name].window_s,
                draining=self._limits[name].draining,
            )
            for (name, holder), weight in self._weights(call).items()
        ]
        while wants and (wait_s := await self._shared.spend(wants)) > 0:
            if wait_s >= deadline.remaining_s():
                raise self._full(call, wait_s)
            await self._clock.sleep(min(wait_s, LONGEST_NAP_S))

    def _let_pass(self) -> None:
        """Admit whoever fits now, refuse whoever cannot fit in time, and wake up when the next one fits."""
        now_ns = self._clock.monotonic_ns()
        soonest_s = math.inf
        for ticket, wait_s in self._plan(now_ns):
            if ticket.admitted.done():
                self._waiting.remove(ticket)  # cancelled; its caller has not woken up yet
            elif wait_s <= 0.0:
                for (name, holder), weight in ticket.weights.items():
                    self._spent_by(name, holder).spend(weight, now_ns)
                self._settle(ticket, None)
            elif wait_s >= ticket.deadline.remaining_s():
                self._settle(ticket, self._full(ticket.call, wait_s))
            else:
                soonest_s = min(soonest_s, wait_s)
        if self._waker is not None:
            self._waker.cancel()
            self._waker = None
        if soonest_s < math.inf:
            self._waker = asyncio.ensure_future(self._wake(soonest_s))

    def _settle(self, ticket: _Ticket, refused: Throttled | None) -> None:
        self._waiting.remove(ticket)
        if refused is None:
            ticket.admitted.set_result(None)
        else:
            ticket.admitted.set_exception(refused)

    def _plan(self, now_ns: int) -> list[tuple[_Ticket, float]]:
        """The waiting calls in order, and in how many seconds each fits behind those before it."""
        planned: dict[tuple[str, str], Spending] = {}
        turn_ns: dict[tuple[str, str], int] = {}
        found: list[tuple[_Ticket, float]] = []
        for ticket in self._waiting:
            # Nobody overtakes: in a budget that an earlier one waits for, the turn comes after it.
            at_ns = max((turn_ns.get(budget, now_ns) for budget in ticket.weights), default=now_ns)
            part = PART[ticket.call.priority]
            for budget, weight in ticket.weights.items():
                if budget not in planned:
                    planned[budget] = self._spent_by(*budget).copied()
                room_s = planned[budget].room_s(weight, at_ns, part)
                at_ns = at_ns + math.ceil(room_s * _SECOND_NS) if room_s < math.inf else -1
                if at_ns < 0:
                    break
            if at_ns < 0:
                found.append((ticket, math.inf))
                continue
            for budget, weight in ticket.weights.items():
                planned[budget].spend(weight, at_ns)
                turn_ns[budget] = at_ns
            found.append((ticket, (at_ns - now_ns) / _SECOND_NS))
        return found

    def _full(self, call: Call, wait_s: float) -> Throttled:
        told_s = (
            wait_s
            if wait_s < math.inf
            else max((limit.window_s for limit in self._policy.limits), default=1.0)
        )
        return Throttled(
            f"{self._policy.venue} has no room for {call.path} before its deadline; in {told_s:.1f} s it has.",
            retry_after_s=told_s,
            reason="budget",
            venue=self._policy.venue,
            priority=call.priority,
        )

    async def _wake(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._waker = None
        self._let_pass()
