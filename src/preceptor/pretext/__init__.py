"""Learning without labels: tasks that make inputs and targets of the data themselves."""
