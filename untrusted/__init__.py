"""Foreign recordings → samples, in a child process with limits; for the bot and for our own TTS gateway."""
