"""The REST side of the rehearsal: one file for each kind of thing."""
