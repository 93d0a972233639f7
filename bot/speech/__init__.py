"""Speech: one text becomes one job that is iterated for its Opus frames."""
