"""What makes the sound behind the TTS gateway's contract."""
