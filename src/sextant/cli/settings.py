"""The configuration of a command: what the environment says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sextant.config import Config, load

OWN_FOLDER_MODE: Final = 0o700  # the folder holds the key that signs tokens


def configuration() -> Config:
    """The configuration stated by this process's environment.

    Raises
    ------
    ConfigError
        If a setting is unknown or cannot be one.
    """
    return load(os.environ)


def own_folder(config: Config) -> Path:
    """The data folder, made readable for its owner only where it was absent."""
    config.data_dir.mkdir(parents=True, exist_ok=True, mode=OWN_FOLDER_MODE)
    return config.data_dir
