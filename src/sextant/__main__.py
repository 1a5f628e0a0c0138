"""The ``sextant`` command."""

from __future__ import annotations

import sys

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
