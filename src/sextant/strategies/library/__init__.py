"""One file per strategy, each with the constant ``STRATEGY``."""
