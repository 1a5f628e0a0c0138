"""What scans saw, kept on disk so that any of them can be asked again: views, past events, live records."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from sextant.errors import Expired, InputError
from sextant.evidence.events import EventTable
from sextant.evidence.live import LiveRecord
from sextant.kit.clock import Clock
from sextant.kit.conditions import Conditions
from sextant.model.view_pack import pack_arrays, pack_view, unpack_arrays, unpack_view
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.prices import CostAssumptions

MOST_BYTES: Final = 4 * 1024**3  # some days of a scan a minute over hundreds of instruments
KEPT_S: Final = 90 * 86_400.0  # api.md 4: the inputs of scans are kept 90 days

MOST_WAITING: Final = 8  # views held in memory until the disk has taken them
PRUNE_EVERY: Final = 64

_VIEWS: Final = "views"
_BLOCKS: Final = "blocks"
_TABLES: Final = "tables"


class _Kept(msgspec.Struct, frozen=True):
    """One view with everything besides it that its scans were computed from; tables by strategy and content."""

    view: bytes
    assumptions: CostAssumptions
    tables: dict[str, str]
    records: dict[str, LiveRecord]


class ViewArchive:
    """Keeps market parts under the hash of their view; every method blocks and belongs in a thread.

    Parameters
    ----------
    folder
        Where files are kept; made when first needed. Files are written whole or not at all.
    most_bytes
        How much may be kept; the longest unused files go first.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def keep(self, part: MarketPart) -> None:
        """Keep a part, and the past events its strategies have asked for so far.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        tables = {name: table.content_hash.hex() for name, table in part.tables.items()}
        place = self._place(_VIEWS, part.view.content_hash)
        known = self._known(place)
        if known is not None and tables.items() <= known.tables.items():
            place.touch()
            return
        for name, table in part.tables.items():
            at = self._place(_TABLES, tables[name])
            if not at.exists():
                _write(at, pack_arrays(table))
        packed = pack_view(part.view, self._put_block) if known is None else known.view
        earlier = {} if known is None else known.tables
        kept = _Kept(packed, part.assumptions, earlier | tables, dict(part.records))
        _write(place, msgspec.msgpack.encode(kept))

    def load(self, view_hash: str) -> MarketPart:
        """The part that was kept under the hash of its view, equal to the letter.

        Raises
        ------
        Expired
            If it is not kept, or no longer.
        InputError
            If what is kept is damaged.
        """
        kept = self._known(self._place(_VIEWS, view_hash))
        if kept is None:
            raise Expired(f"The view {view_hash} is not kept on this machine.", reason="retention")
        view = unpack_view(kept.view, self._get_block)
        if view.content_hash != view_hash:
            raise InputError(f"What is kept under {view_hash} is another view.", reason="corrupt")
        tables = {
            name: unpack_arrays(self._read(_TABLES, key), EventTable) for name, key in kept.tables.items()
        }
        shelf = EvidenceShelf()
        shelf.records.update(kept.records)
        return MarketPart(view, kept.assumptions, shelf, tables)

    def prune(self, now_s: float) -> int:
        """How many files went: those unused for 90 days, then the longest unused beyond the bound.

        Parameters
        ----------
        now_s
            Seconds since the epoch.
        """
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        gone = 0
        for used_s, size, path in files:
            if total <= self._most_bytes and now_s - used_s <= KEPT_S:
                break
            path.unlink(missing_ok=True)
            total -= size
            gone += 1
        return gone

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for path in self._folder.glob("*/*/*"):
            facts = path.stat()
            yield facts.st_mtime, facts.st_size, path

    def _known(self, place: Path) -> _Kept | None:
        try:
            return msgspec.msgpack.decode(place.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise InputError(f"The kept view {place.name} is damaged: {error}.", reason="corrupt") from error

    def _put_block(self, key: str, make: Callable[[], bytes]) -> None:
        place = self._place(_BLOCKS, key)
        try:
            os.utime(place)  # used again: not the next to go
        except FileNotFoundError:
            _write(place, make())

    def _get_block(self, key: str) -> bytes:
        return self._read(_BLOCKS, key)

    def _read(self, kind: str, key: str) -> bytes:
        try:
            return self._place(kind, key).read_bytes()
        except FileNotFoundError:
            raise Expired(
                f"A part of the view ({kind}/{key}) is no longer kept.", reason="retention"
            ) from None

    def _place(self, kind: str, key: str) -> Path:
        return self._folder / kind / key[:2] / key


def _write(place: Path, content: bytes) -> None:
    """All or nothing: written beside its place, then moved there."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".", delete=False) as beside:
        beside.write(content)
    Path(beside.name).replace(place)


class ViewKeeper:
    """Keeps what scans saw, off their path: newest views may wait, and beyond a few the oldest is let go.

    Parameters
    ----------
    archive
        Where views are kept.
    clock
        Gives the age of files.
    conditions
        Told while the disk refuses.
    """

    def __init__(self, archive: ViewArchive, clock: Clock, conditions: Conditions) -> None:
        self._archive = archive
        self._clock = clock
        self._conditions = conditions
        self._waiting: OrderedDict[str, MarketPart] = OrderedDict()
        self._offered = asyncio.Event()
        self._idle = asyncio.Event()

    def offer(self, part: MarketPart) -> None:
        """Take a part that a scan has ended on; never waits."""
        name = part.view.content_hash
        self._waiting.pop(name, None)
        self._waiting[name] = part.bare()
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
        self._offered.set()
        self._idle.clear()

    async def settled(self) -> None:
        """Wait until the disk has taken or refused everything that was offered."""
        await self._idle.wait()

    @property
    def waiting(self) -> int:
        """How many views the disk has not yet taken."""
        return len(self._waiting)

    async def serve(self) -> None:
        """Keep what is offered until cancelled."""
        written = 0
        while True:
            await self._offered.wait()
            self._offered.clear()
            while self._waiting:
                _, part = self._waiting.popitem(last=False)
                await self._keep(part)
                written += 1
                if written % PRUNE_EVERY == 1:
                    await asyncio.to_thread(self._archive.prune, self._clock.now_ns() / 1e9)
            self._idle.set()

    async def _keep(self, part: MarketPart) -> None:
        refused: str | None = None
        try:
            await asyncio.to_thread(self._archive.keep, part)
        except (OSError, InputError) as error:
            refused = str(error)
        facts = {} if refused is None else {"detail": refused}
        self._conditions.note("views_not_kept", "disk", holds=refused is not None, at_once=True, **facts)
