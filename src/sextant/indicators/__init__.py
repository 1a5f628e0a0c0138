"""Indicators: arrays to arrays of equal length, without look-ahead, NaN until warm.

Front door: :func:`sextant.indicators.catalog.compute` for whole columns, and ``begin``, ``step``,
``preview`` and ``fold`` of :mod:`sextant.indicators.contract` for state that follows the bars.
"""
