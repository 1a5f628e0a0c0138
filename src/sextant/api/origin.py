"""Where the facts in an answer come from."""

from __future__ import annotations

import msgspec

from sextant.model.view import Feed


class Origin(msgspec.Struct, frozen=True):
    """The feed, whether it is simulated, and the build that answers."""

    feed: Feed
    simulated: bool
    code_version: str
