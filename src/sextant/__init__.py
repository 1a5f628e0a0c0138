"""Sextant: what do I own, what is the market doing, and what is worth doing about it."""
