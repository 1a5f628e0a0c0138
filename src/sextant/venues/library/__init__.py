"""One module or folder per venue; each defines ``VENUE``."""
