"""Scans run strategies under one budget and can always say what happened, what is late and why."""
