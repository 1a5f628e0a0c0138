"""The history of the schema, one revision a file; run by ``kit.db.migrate``."""
