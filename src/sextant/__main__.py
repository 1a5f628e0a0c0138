"""The ``sextant`` command."""

from __future__ import annotations

import os
import sys

# Read when numpy is first loaded. Matrices here are small and many scans share the cores: threads of the linear
# algebra then mostly wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from sextant.cli import exits
from sextant.cli.commands import app
from sextant.errors import SextantError


def main() -> None:
    """Run one command; a named failure is one line on standard error and its exit code."""
    try:
        app()
    except SextantError as error:
        sys.stderr.write(f"sextant: {error.message}\n")
        sys.exit(exits.exit_code(error))
    except BrokenPipeError:
        sys.exit(exits.OK)  # the reader of our output has seen enough
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
