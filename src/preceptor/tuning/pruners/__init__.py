"""Who says which trials go on: a pruner a file."""
