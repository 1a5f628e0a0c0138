"""Folds indicator columns into scores together with reasons, coverage and the missing inputs."""
