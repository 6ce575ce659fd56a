"""How fast, how small, how soon: measured against floors anyone can install."""
