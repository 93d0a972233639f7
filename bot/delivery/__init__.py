"""Between an order and its answer: in whose voice, in which words, and what remains of the take."""
