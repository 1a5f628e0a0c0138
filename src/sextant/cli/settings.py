"""The configuration of a command: what the environment says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sextant.config import Config, load
from sextant.errors import Unauthenticated
from sextant.kit import log
from sextant.kit.clock import Clock
from sextant.kit.log_budget import LogBudget
from sextant.kit.log_files import LogFiles

OWN_FOLDER_MODE: Final = 0o700  # the folder holds the key that signs tokens
LOGS: Final = "logs"
"""Folder of the log files below the data folder."""


def configuration() -> Config:
    """The configuration stated by this process's environment.

    Raises
    ------
    ConfigError
        If a setting is unknown or cannot be one.
    """
    return load(os.environ)


def token() -> str:
    """The access token or personal API key this process was given.

    Raises
    ------
    Unauthenticated
        If there is none.
    """
    given = configuration().token
    if given is None:
        raise Unauthenticated('SEXTANT_TOKEN is not set; eval "$(sextant login EMAIL)" logs in and sets it.')
    return given


@contextmanager
def logging_to(config: Config, clock: Clock, log_format: log.LogFormat) -> Iterator[None]:
    """Events go to standard error, and to files below the data folder, until the block ends."""
    files = LogFiles(own_folder(config) / LOGS, clock)
    log.configure(log_format, config.level, files.write, LogBudget(clock))
    try:
        yield
    finally:
        files.close()


def own_folder(config: Config) -> Path:
    """The data folder, made readable for its owner only where it was absent."""
    config.data_dir.mkdir(parents=True, exist_ok=True, mode=OWN_FOLDER_MODE)
    return config.data_dir
