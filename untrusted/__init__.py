"""What strangers send to the bot or to our own TTS gateway: recordings, JSON, addresses."""
