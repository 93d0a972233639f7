"""From a Discord message to text that can be spoken. Pure functions."""
