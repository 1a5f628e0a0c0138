"""How busy the machine is, as Linux tells it; elsewhere the figures are None."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from sextant.monitoring.records import MachineReading

LEAST_S: Final = 30.0  # shorter spans are all peaks
TICKS_PER_S: Final = 100  # proc(5): what the kernel counts in, whatever the machine
_IDLE_FIELDS: Final = (3, 4)  # proc(5): idle and waiting for the disk


class Machine:
    """Reads shares in use; those of the processors count from one reading to the next.

    Parameters
    ----------
    folder
        On the disk that is looked at.
    system
        Where the system tells of itself.
    least_s
        A share of the processors counts over at least so many seconds; until then the last one is told.
    """

    def __init__(self, folder: Path, system: Path = Path("/proc"), least_s: float = LEAST_S) -> None:
        self._folder = folder
        self._system = system
        self._least_ticks = least_s * TICKS_PER_S * (os.cpu_count() or 1)
        self._before: tuple[int, int] | None = None
        self._share_pct: float | None = None

    def read(self) -> MachineReading:
        """The shares in use now."""
        return MachineReading(self._cpu_pct(), self._memory_pct(), self._disk_pct())

    def _cpu_pct(self) -> float | None:
        line = _first_line(self._system / "stat")
        if line is None or not line.startswith("cpu "):
            return None
        ticks = [int(word) for word in line.split()[1:]]
        total, idle = sum(ticks), sum(ticks[place] for place in _IDLE_FIELDS)
        before = self._before
        if before is None:
            self._before = (total, idle)
        elif total - before[0] > self._least_ticks:
            self._share_pct = round(100 * (1 - (idle - before[1]) / (total - before[0])), 1)
            self._before = (total, idle)
        return self._share_pct

    def _memory_pct(self) -> float | None:
        try:
            lines = (self._system / "meminfo").read_text().splitlines()
        except OSError:
            return None
        kib = {line.partition(":")[0]: int(line.split()[1]) for line in lines if len(line.split()) > 1}
        total, free = kib.get("MemTotal"), kib.get("MemAvailable")
        return None if not total or free is None else round(100 * (1 - free / total), 1)

    def _disk_pct(self) -> float | None:
        try:
            usage = shutil.disk_usage(self._folder)
        except OSError:
            return None
        return round(100 * (1 - usage.free / usage.total), 1)


def _first_line(path: Path) -> str | None:
    try:
        with path.open() as file:
            return file.readline()
    except OSError:
        return None
