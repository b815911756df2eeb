"""From the columns of a table to the numbers that a network takes."""
