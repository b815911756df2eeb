"""The live page: the runs of a folder, followed while other processes train them. It comes with the extra `[live]`."""
