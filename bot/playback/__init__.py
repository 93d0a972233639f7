"""Playback in voice channels: the connection, one player per guild, one thread that sends for all."""
