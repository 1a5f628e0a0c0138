"""Who may ask: people, their sessions and keys; plain passwords and tokens are touched only here."""
