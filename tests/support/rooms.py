"""Who may import whom, room by room: the table of the design, checked import by import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

ALL = ("*",)

MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    "errors": (),
    "model": (),
    "kit": (),
    "migrations": ("kit",),
    "config": ("kit",),
    "market": ("model",),
    "indicators": ("model", "kit.plugins"),
    "confluence": ("model", "indicators", "kit.plugins"),
    "strategies": ("model", "indicators", "confluence", "kit.plugins"),
    "evidence": ("model", "strategies"),
    "evidence.store": ("model", "strategies", "kit.db"),
    "vault": ("model", "kit"),
    "monitoring": ("model", "kit"),
    "venues": ("model", "kit"),
    "sim": ("model", "kit"),
    "portfolio": (
        "model",
        "kit",
        "venues.port",
        "market",
        "vault",
        "strategies.costs",
        "strategies.sizing",
        "strategies.optimise",
    ),
    "scans": (
        "model",
        "kit",
        "venues",
        "market",
        "indicators",
        "confluence",
        "strategies",
        "evidence",
        "portfolio",
    ),
    "alerts": ("model", "kit", "scans", "portfolio", "market", "confluence"),
    "assistant": ("model", "kit", "market", "confluence", "scans", "portfolio", "alerts"),
    "web": (),
    "api": ALL,
    "app": ALL,
    "cli": ALL,
    "__main__": ALL,
}
"""By importer, the longest name that fits: what it may import besides errors and itself."""

NEVER: Mapping[str, tuple[str, ...]] = {
    "scans": ("venues.library",),
    "api": ("venues.library", "sim", "config", "app", "cli"),
}
"""What an importer may not import although a shorter name above allows it."""


def strangers(imports: Iterable[tuple[str, str]]) -> list[str]:
    """One sentence for each import that the table does not allow, sorted.

    Parameters
    ----------
    imports
        Importer and imported module, both below the package and without its name.
    """
    found = set()
    for importer, imported in imports:
        room = importer.partition(".")[0]
        if room not in MAY_IMPORT:
            found.add(f"{room} is no room of the table.")
            continue
        if imported.partition(".")[0] in (room, "errors"):
            continue
        name = importer if importer in MAY_IMPORT else room
        allowed = MAY_IMPORT[name]
        refused = _under(imported, NEVER.get(name, ()))
        if refused or (allowed != ALL and not _under(imported, allowed)):
            found.add(f"{importer} imports {imported}.")
    return sorted(found)


def _under(name: str, homes: Iterable[str]) -> bool:
    return any(name == home or name.startswith(home + ".") for home in homes)
