"""The accounts of one person at several venues as one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from sextant.model.account import Account


def joined(accounts: Sequence[Account]) -> Account:
    """One account that holds what all hold; at least one, all of one risk profile.

    Notes
    -----
    Equity is what is known of it: a venue that states none adds nothing, and one that has not answered lowers the
    coverage, so that whoever needs all of it says that it is not covered.

    Examples
    --------
    >>> whole = joined([Account(100.0, 1.0, {"bybit": 60.0}), Account(50.0, 0.0, {"deribit": 50.0})])
    >>> whole.equity_usd, whole.coverage_frac, whole.free_usd
    (150.0, 0.5, {'bybit': 60.0, 'deribit': 50.0})
    """
    known = [account.equity_usd for account in accounts if account.equity_usd is not None]
    free_usd: dict[str, float] = {}
    for account in accounts:
        free_usd |= account.free_usd
    return Account(
        equity_usd=math.fsum(known) if known else None,
        coverage_frac=math.fsum(account.coverage_frac for account in accounts) / len(accounts),
        free_usd=free_usd,
        profile=accounts[0].profile,
        fees=dict(itertools.chain.from_iterable(account.fees.items() for account in accounts)),
        balances=tuple(itertools.chain.from_iterable(account.balances for account in accounts)),
        positions=tuple(itertools.chain.from_iterable(account.positions for account in accounts)),
    )
