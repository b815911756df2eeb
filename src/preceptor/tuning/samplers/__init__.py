"""Who draws the trials: a sampler a file."""
