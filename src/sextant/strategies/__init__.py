"""Strategies read a frozen view and return opportunities with net edge, cost and reasons."""
