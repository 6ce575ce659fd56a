"""Programs built on the public API alone, one folder each."""
