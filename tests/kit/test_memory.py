from __future__ import annotations

import subprocess
import sys

CHILD = """
import numpy as np
from sextant.kit.memory import limit_memory
limit_memory({limit})
try:
    np.ones(1 << 27)  # a gigabyte of numbers
except MemoryError:
    print("refused")
else:
    print("given")
small = np.ones(1 << 17)
print(small.size)
"""


def test_an_allocation_beyond_the_limit_fails_and_the_process_goes_on() -> None:
    for limit, said in (("768", "refused"), ("None", "given")):
        told = subprocess.run(
            [sys.executable, "-c", CHILD.format(limit=limit)], capture_output=True, text=True, check=True
        )
        assert told.stdout.split() == [said, str(1 << 17)]
