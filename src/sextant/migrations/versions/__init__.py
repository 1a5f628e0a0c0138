"""Revisions of the schema, in order."""
