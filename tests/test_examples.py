"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import sextant

_MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(sextant.__path__, "sextant.")
    if not module.name.startswith("sextant.migrations") and module.name != "sextant.__main__"
)


@pytest.mark.parametrize("name", _MODULES)
def test_the_examples_of_a_module_run_as_written(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0
