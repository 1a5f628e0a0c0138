"""Venues that speak the real wire on loopback: seeded, fault-scripted, written independently of ``venues``."""
