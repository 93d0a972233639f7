"""The TTS gateway, made to misbehave on demand: for the switches of the room and for the tests."""
