"""The command line: a client people like; every command answers ``--json`` and a documented exit code."""
