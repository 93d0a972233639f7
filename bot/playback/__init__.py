"""Voice channels: the connection, and one player per guild."""
