"""A TTS gateway to run yourself: the VoxCPM2 contract in front of an offline engine."""
