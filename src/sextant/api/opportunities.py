"""Routes that start scans and tell what they found, as earlier clients know them."""

from __future__ import annotations

import statistics
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sextant.api.endpoint import Answer, Call, Endpoint, NoBody, NoQuery
from sextant.api.opportunity_schemas import OpportunityDetail
from sextant.api.opportunity_wire import age_s, opportunity_detail
from sextant.api.scan_schemas import (
    Advice,
    DiscoverAnswer,
    DiscoverBody,
    DiscoveryMetrics,
    LastScan,
    OnboardAnswer,
    OnboardBody,
    OnboardingStatus,
    OnboardResults,
    ResultsBody,
    StartProgress,
    StatusBody,
    UserStatusAnswer,
)
from sextant.api.scan_wire import (
    BASE,
    aged,
    filters,
    results,
    scan_request,
    status_body,
)
from sextant.errors import NotFound
from sextant.kit.clock import Clock
from sextant.kit.ids import is_id
from sextant.model.account import Account
from sextant.model.times import iso_ms
from sextant.scans.diagnostics import ScanDiagnostics
from sextant.scans.lifecycle import Caller, Scans
from sextant.scans.records import Found, ScanStatus
from sextant.strategies.contract import Strategy
from sextant.vault.records import User
from sextant.vault.users import Users

TOLD_KEPT = 256  # answers to polls; ten opportunities each are some 30 KB
POLL_S = 3  # what earlier clients were told
SCANS_LOOKED_AT = 10  # api.md 2.3: the median of the last ten scans
DEGRADED_AT = 10  # api.md 2.4: errors a day
CRITICAL_AT = 100  # ten times as many

AccountOf = Callable[[User], Awaitable[Account]]


class OpportunityRoutes:
    """Discover, poll, read.

    Parameters
    ----------
    scans, diagnostics, users
        Front doors of the rooms.
    catalogue
        The strategies there are; the starting package is the free ones.
    account_of
        The account a person's scans are run for.
    clock
        Gives ages.
    """

    def __init__(
        self,
        rooms: tuple[Scans, ScanDiagnostics, Users],
        catalogue: Mapping[str, Strategy],
        account_of: AccountOf,
        clock: Clock,
    ) -> None:
        self._scans, self._diagnostics, self._users = rooms
        self._catalogue = catalogue
        self._account_of = account_of
        self._clock = clock
        self._told: OrderedDict[str, tuple[StatusBody, Sequence[Found]]] = OrderedDict()

    async def discover(self, call: Call[DiscoverBody, NoQuery]) -> Answer:
        """A scan whose row is committed before the answer is given."""
        request = scan_request(call.body)
        user = call.identity.user
        caller = Caller(user.user_id, await self._users.grants(user.user_id), await self._account_of(user))
        accepted = await self._scans.discover(
            caller, request, force=call.body.force_refresh, key=call.headers.get("idempotency-key")
        )
        scan_id = accepted.scan_id
        body = DiscoverAnswer(
            success=True,
            scan_id=scan_id,
            status="scanning" if accepted.joined else "initiated",
            message=f"Scan {'joined' if accepted.joined else 'accepted'}: {accepted.total_strategies} strategies.",
            estimated_completion_seconds=accepted.estimated_s,
            poll_url=f"{BASE}/opportunities/status/{scan_id}",
            results_url=f"{BASE}/opportunities/results/{scan_id}",
            events_url=f"{BASE}/scans/{scan_id}/events",
            polling_interval_seconds=POLL_S,
            instructions="Poll poll_url, or read events_url.",
            filters=filters(accepted.request, accepted.unmatched),
            progress=StartProgress(accepted.ended_strategies, accepted.total_strategies),
        )
        return Answer(body, headers={"Idempotency-Replayed": "true"} if accepted.replayed else {})

    async def status(self, call: Call[NoBody, NoQuery]) -> Answer:
        """The state of a scan, as its row says it."""
        status = await self._scans.status(call.user_id, _scan_id(call, latest=True))
        now_ns = self._clock.now_ns()
        headers = {"ETag": f'W/"{status.scan_id}.{status.version}"', "Cache-Control": "private, no-cache"}
        if status.as_of_ns is not None:
            headers["Age"] = str(int(age_s(status.as_of_ns, now_ns)))
        if headers["ETag"] in _tags(call.headers.get("if-none-match", "")):
            return Answer(None, 304, headers)
        return Answer(await self._status_body(status, headers["ETag"], now_ns), headers=headers)

    async def _status_body(self, status: ScanStatus, tag: str, now_ns: int) -> StatusBody:
        """What a poll is told; what the row says at one version is put into words once."""
        told = self._told.get(tag)
        if told is not None:
            self._told.move_to_end(tag)
            body, best = told
            return aged(body, status, best, now_ns)
        best = await self._scans.partial(status.scan_id) if status.found_count else ()
        body = status_body(status, best, now_ns)
        self._told[tag] = body, best
        if len(self._told) > TOLD_KEPT:
            self._told.popitem(last=False)
        return body

    async def results(self, call: Call[NoBody, NoQuery]) -> Answer:
        """What a scan found; 202 while it runs."""
        found = await self._scans.results(call.user_id, _scan_id(call, latest=True))
        body = results(found, self._clock.now_ns())
        if found.status.status == "scanning":
            return Answer(body, 202, {"Retry-After": str(POLL_S)})
        return Answer(body)

    async def read(self, call: Call[NoBody, NoQuery]) -> OpportunityDetail:
        """One opportunity with everything behind it."""
        opportunity_id = call.path["opportunity_id"]
        if not is_id(opportunity_id, "opp"):
            raise NotFound("There is no such opportunity.")
        status, found, before = await self._scans.opportunity(call.user_id, opportunity_id)
        return opportunity_detail(status, found, before, self._clock.now_ns())

    async def user_status(self, call: Call[NoBody, NoQuery]) -> UserStatusAnswer:
        """Where the caller stands and what to do next."""
        granted = await self._users.grants(call.user_id)
        _, newest = await self._scans.history(call.user_id, SCANS_LOOKED_AT)
        running = any(status.status == "scanning" for status in newest)
        counts = [status.found_count for status in newest if status.status == "complete"]
        return UserStatusAnswer(
            success=True,
            user_id=call.user_id,
            onboarding_status=OnboardingStatus(bool(granted), len(granted), not granted),
            last_scan_info=self._last(newest),
            discovery_available=bool(granted),
            recommendations=Advice(
                "onboard" if not granted else "wait" if running else "scan",
                float(statistics.median(counts)) if counts else None,
            ),
        )

    async def onboard(self, call: Call[OnboardBody, NoQuery]) -> OnboardAnswer:
        """The starting package; repeats tell what the first call did."""
        begun_ns = self._clock.monotonic_ns()
        free = [item.id for item in self._catalogue.values() if item.tier == "free"]
        first = await self._users.onboard(call.user_id, free)
        portfolio = await self._users.grants(call.user_id)
        return OnboardAnswer(
            onboarding_id=first.onboarding_id,
            user_id=call.user_id,
            results=OnboardResults(
                list(first.strategy_ids), [name for name in self._catalogue if name in portfolio]
            ),
            execution_time_ms=(self._clock.monotonic_ns() - begun_ns) / 1e6,
            onboarded_at=iso_ms(first.onboarded_ns),
            next_steps=["POST /api/v1/opportunities/discover"],
        )

    async def metrics(self, _: Call[NoBody, NoQuery]) -> DiscoveryMetrics:
        """Failed scans of the day."""
        failed = (await self._diagnostics.metrics()).day.failed_scans
        return DiscoveryMetrics(
            failed,
            "operational" if failed < DEGRADED_AT else "degraded" if failed < CRITICAL_AT else "critical",
            iso_ms(self._clock.now_ns()),
        )

    def endpoints(self) -> list[Endpoint]:
        """The rows of api.md 2.3."""
        return [
            Endpoint(
                method="POST",
                path=f"{BASE}/opportunities/discover",
                name="opportunities_discover",
                summary="Start a scan, or join the one that runs",
                access=("scan:run",),
                handler=self.discover,
                body=DiscoverBody,
                answer=DiscoverAnswer,
                errors=(409,),
                proof=("A03", "A05", "A06", "A16", "A17"),
                policy_name="discover",
            ),
            *self._poll_endpoints(),
            Endpoint(
                method="GET",
                path=f"{BASE}/opportunities/user-status",
                name="opportunities_user_status",
                summary="Where the caller stands and what to do next",
                access=("scan:read",),
                handler=self.user_status,
                answer=UserStatusAnswer,
                proof=("A06",),
            ),
            Endpoint(
                method="POST",
                path=f"{BASE}/opportunities/onboard",
                name="opportunities_onboard",
                summary="Take the starting package",
                access=("scan:run",),
                handler=self.onboard,
                body=OnboardBody,
                answer=OnboardAnswer,
                proof=("A06", "A16"),
                policy_name="onboard",
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/opportunities/metrics",
                name="opportunities_metrics",
                summary="Failed scans of the day",
                access=("ops:read",),
                handler=self.metrics,
                answer=DiscoveryMetrics,
                proof=("A06", "A28"),
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/opportunities/{{opportunity_id}}",
                name="opportunities_read",
                summary="One opportunity with its costs, evidence and gates",
                access=("scan:read",),
                handler=self.read,
                answer=OpportunityDetail,
                errors=(410,),
                proof=("A10", "A12", "A26"),
            ),
        ]

    def _poll_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=f"{BASE}/opportunities/status/{{scan_id}}",
                name="opportunities_status",
                summary="The state of a scan",
                access=("scan:read",),
                handler=self.status,
                answer=StatusBody,
                errors=(304,),
                proof=("A03", "A04", "A06"),
                policy_name="scan.poll",
                hot=True,
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/opportunities/results/{{scan_id}}",
                name="opportunities_results",
                summary="What a scan found",
                access=("scan:read",),
                handler=self.results,
                answer=ResultsBody,
                errors=(202, 410),
                proof=("A04", "A05", "A06", "A12"),
                policy_name="scan.poll",
            ),
        ]

    def _last(self, newest: list[ScanStatus]) -> LastScan:
        if not newest:
            return LastScan(None, None, None)
        started_ns = newest[0].started_ns
        return LastScan(newest[0].scan_id, iso_ms(started_ns), age_s(started_ns, self._clock.now_ns()))


def _scan_id(call: Call[NoBody, NoQuery], *, latest: bool) -> str:
    """The scan id of the path; what cannot be one is not looked up."""
    scan_id = call.path["scan_id"]
    if not (is_id(scan_id, "scan") or (latest and scan_id == "latest")):
        raise NotFound(f"There is no scan '{scan_id}'.")
    return scan_id


def _tags(header: str) -> set[str]:
    return {tag.strip() for tag in header.split(",")}
