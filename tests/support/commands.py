"""The command line run as a process, as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(*words: str, folder: Path, typed: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """What ``sextant`` answers to what is typed, with its data under ``folder`` and no setting of this shell."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEXTANT_")}
    clean |= {"SEXTANT_DATA_DIR": str(folder), "COLUMNS": "120", **environ}
    command = [sys.executable, "-m", "sextant", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=clean, input=typed
    )
