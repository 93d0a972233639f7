"""What survives a restart: voices, consents, takes, settings of servers. Only here is a database."""
