"""`python -m rehearsal.faulty_tts_gateway`: `python -m tts_gateway`, and `PUT /faults` sets its faults."""

from __future__ import annotations

import sys

from rehearsal.faulty_tts_gateway.server import create_faulty_app
from tts_gateway.__main__ import main

if __name__ == "__main__":
    sys.exit(main(create_app=create_faulty_app))
