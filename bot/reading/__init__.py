"""Reading aloud: what people write in a text channel is heard in a voice channel."""
