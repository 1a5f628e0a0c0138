"""Plug-ins: every module of a ``library`` package defines one constant; here they are collected."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import TypeVar

from sextant.errors import ConfigError

T = TypeVar("T")


def collect(
    package: str, constant: str, kind: type[T], others: Mapping[str, type] | None = None
) -> dict[str, T]:
    """The constants of all modules of a package, by module name, in alphabetical order.

    Parameters
    ----------
    package
        Dotted name of the ``library`` package.
    constant
        Name each of its modules must define.
    kind
        Type of the constant.
    others
        Constants and their types that a module may define instead; such modules are left out.

    Raises
    ------
    ConfigError
        If a module cannot be imported, lacks the constant, or defines something else. A broken
        plug-in stops the program: silence would look like a quiet market.
    """
    home = importlib.import_module(package)
    found: dict[str, T] = {}
    for entry in sorted(pkgutil.iter_modules(home.__path__), key=lambda item: item.name):
        name = f"{package}.{entry.name}"
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            raise ConfigError(f"Plug-in {name} cannot be imported: {error}.", plugin=name) from error
        value = getattr(module, constant, None)
        if not isinstance(value, kind):
            if any(isinstance(getattr(module, each, None), other) for each, other in (others or {}).items()):
                continue
            raise ConfigError(
                f"Plug-in {name} must define {constant} as a {kind.__name__}; found {type(value).__name__}."
            )
        found[entry.name] = value
    return found
