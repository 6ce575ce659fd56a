"""What ``doctor`` checks, and its advice."""
