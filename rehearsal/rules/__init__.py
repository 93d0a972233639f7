"""What Discord accepts from a bot: its limits, one file for each kind of body."""
