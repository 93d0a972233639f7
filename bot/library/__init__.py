"""What survives a restart: voices, consents, generations, settings of servers. Only here is a database."""
