"""Which rows train, which judge, and in which order they come."""
