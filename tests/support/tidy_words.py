"""One word per thing: refused words in names, docstrings and comments of the product's sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from support.tidy import Source, comments

ANOTHER_WORD = {
    "symbol": "instrument",
    "symbols": "instruments",
    "coin": "asset or instrument",
    "coins": "assets or instruments",
    "ticker": "quote or instrument",
    "tickers": "quotes or instruments",
    "candle": "bar",
    "candles": "bars",
    "candlestick": "bar",
    "kline": "bar",
    "klines": "bars",
    "ohlcv": "bar",
    "l1": "quote",
    "dom": "order book",
    "rekt": "liquidation",
    "liq": "liquidation",
    "wallet": "account",
    "wallets": "accounts",
    "bot": "strategy",
    "bots": "strategies",
    "scanner": "strategy or scan",
    "scanners": "strategies or scans",
    "engine": "strategy, or what it is",
    "engines": "strategies, or what they are",
}
"""Refused word and what to say."""

WIRE = ("src/sextant/venues/library/", "src/sextant/sim/")
"""Here the wire speaks, in the venues' own words."""

ALLOWED: dict[str, dict[str, str]] = {
    "symbol": {
        "src/sextant/venues/": "the venue's own spelling of an instrument",
        "src/sextant/api/": "the HTTP contract names its fields so",
        "src/sextant/cli/": "it shows fields of the HTTP contract",
    },
    "symbols": {
        "src/sextant/model/instrument.py": "says what an instrument is not",
        "src/sextant/venues/": "as symbol",
        "src/sextant/api/": "as symbol",
        "src/sextant/cli/": "as symbol",
    },
    "engine": {
        "src/sextant/kit/": "SQLAlchemy's AsyncEngine",
        "src/sextant/migrations/": "SQLAlchemy's engine",
        "src/sextant/app.py": "SQLAlchemy's engine, made and handed on",
        "src/sextant/cli/": "SQLAlchemy's engine, opened for one command",
        "src/sextant/vault/": "SQLAlchemy's engine, which stores are made with",
        "src/sextant/scans/": "SQLAlchemy's engine, which stores are made with",
        "src/sextant/evidence/store.py": "SQLAlchemy's engine",
        "src/sextant/alerts/store.py": "SQLAlchemy's engine",
        "src/sextant/monitoring/store.py": "SQLAlchemy's engine",
        "src/sextant/portfolio/store.py": "SQLAlchemy's engine",
    },
}
"""By word: where it is right, and why."""

NO_PART_OF_A_NAME = frozenset(
    {
        "manager",
        "helper",
        "helpers",
        "util",
        "utils",
        "service",
        "services",
        "enhanced",
        "unified",
        "advanced",
        "enterprise",
        "smart",
        "ultimate",
        "legacy",
        "v2",
    }
)
NO_END_OF_A_NAME = ("_new", "_old", "_fixed", "_final", "_legacy", "_v1", "_v2", "_v3")
FINE_NAMES = {
    "is_final": "of a bar that will not change",
    "services": "a field of the HTTP contract",
    "too_old": "older than what is kept",
    "kraken_v2": "the second version of Kraken's own interface",
}
"""Names that end so for a reason of their subject."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_PART = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+")


def parts(name: str) -> list[str]:
    """The words of a name, in lower case: ``SmartTickerV2`` and ``smart_ticker_v2`` alike."""
    return [part.lower() for piece in name.split("_") for part in _PART.findall(piece)]


def names(source: Source) -> Iterator[tuple[int, str]]:
    """Line and spelling of every name that the file defines."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def prose(source: Source) -> Iterator[tuple[int, str]]:
    """Line and text of docstrings and comments; code in double backquotes is left out."""
    yield from comments(source)
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            text = re.sub(r"``[^`]*``", lambda found: "\n" * found[0].count("\n"), node.value.value)
            for offset, line in enumerate(text.split("\n")):
                yield node.lineno + offset, line


def _is_right(word: str, path: str) -> bool:
    return any(path.startswith(place) for place in ALLOWED.get(word, ()))


def refused_words(source: Source) -> list[str]:
    if not source.room or source.path.startswith(WIRE):
        return []
    found = set()
    for line, name in names(source):
        found |= {(line, word) for word in parts(name)}
    for line, text in prose(source):
        found |= {(line, word.lower()) for word in _WORD.findall(text)}
    return [
        source.said(line, f"says '{word}'; say {ANOTHER_WORD[word]}")
        for line, word in sorted(found)
        if word in ANOTHER_WORD and not _is_right(word, source.path)
    ]


def refused_names(source: Source) -> list[str]:
    """Names that tell nothing, promise, or tell history; the names of tests are sentences and may."""
    module = source.path.rpartition("/")[2].removesuffix(".py")
    found = []
    for line, name in [(1, module), *names(source)]:
        empty = NO_PART_OF_A_NAME.intersection(parts(name)) if source.room else set()
        if name.lower() in FINE_NAMES or (not source.room and name.startswith("test_")):
            continue
        if empty or name.lower().endswith(NO_END_OF_A_NAME):
            found.append(source.said(line, f"the name '{name}' tells history or nothing"))
    return found
