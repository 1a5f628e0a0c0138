"""Indicators: arrays to arrays of equal length, without look-ahead, NaN until warm."""
