"""Myna: a Discord bot that says things, in any voice."""

__version__ = "0.1.0"
