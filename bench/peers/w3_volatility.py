"""Implied volatilities by py_vollib, one at a time and vectorised: reads the options of the file named first, prints seconds and answers.

Run by ``bench_volatility.py`` with the interpreter of the peers' environment.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from numba.core.errors import NumbaError
from py_vollib.black.implied_volatility import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
    implied_volatility,
)
from py_vollib_vectorized import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
    vectorized_implied_volatility_black,
)

RUNS = 5


def vectorised_ms(value: Any, forward: Any, strike: Any, years: Any, flags: Any) -> float | None:
    """Median of py_vollib_vectorized after warming up; None where its kernels do not compile with the numba that is there."""
    spent = []
    try:
        for _ in range(RUNS + 1):
            begun = time.process_time()
            vectorized_implied_volatility_black(value, forward, strike, 0.0, years, flags, return_as="numpy")
            spent.append(time.process_time() - begun)
    except NumbaError:
        return None
    return sorted(spent[1:])[RUNS // 2] * 1e3


def main() -> None:
    given = np.load(sys.argv[1])
    value, forward, strike, years = (given[name] for name in ("value", "forward", "strike", "years"))
    flags = np.where(given["right"] > 0, "c", "p")
    rows = list(
        zip(value.tolist(), forward.tolist(), strike.tolist(), years.tolist(), flags.tolist(), strict=True)
    )
    spent = []
    found: list[float] = []
    for _ in range(RUNS):
        begun = time.process_time()
        found = [implied_volatility(v, f, k, 0.0, t, flag) for v, f, k, t, flag in rows]
        spent.append(time.process_time() - begun)
    told: dict[str, Any] = {
        "one_by_one_ms": sorted(spent)[RUNS // 2] * 1e3,
        "iv": found,
        "vectorised_ms": None,
    }
    told["vectorised_ms"] = vectorised_ms(value, forward, strike, years, flags)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
