"""What things are: frozen values that refuse to be wrong."""
