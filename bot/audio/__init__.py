"""Sound: the strict WAV parser, levels, Opus frames, export formats."""
