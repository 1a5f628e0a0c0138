"""Tools any program could use, one of each, all bounded, with an injected clock."""
