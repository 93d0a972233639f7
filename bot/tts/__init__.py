"""The client of the TTS gateway."""
