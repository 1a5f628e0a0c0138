"""One file per indicator, each with the constant ``INDICATOR``."""
