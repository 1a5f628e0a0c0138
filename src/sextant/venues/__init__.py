"""Translates one venue's wire to the model and back; knows everything about that venue and nothing else."""
