"""Delivery: from a typed command to its reply, and what is kept of what was made."""
