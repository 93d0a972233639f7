"""A TTS gateway to run yourself: the VoxCPM2 contract in front of an offline engine."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - before anything that an older Python cannot even read
    sys.exit("This TTS gateway needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info[:2]))
