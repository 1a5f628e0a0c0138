"""The six dimensions, one file each, each defining ``DIMENSION``."""
