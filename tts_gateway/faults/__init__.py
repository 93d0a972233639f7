"""Misbehaviour on demand, so that the TTS gateway is its own test double."""

from tts_gateway.faults.answers import (
    URL_MARK,
    Accepted202,
    BadWav,
    Redirect,
    Respond,
    SoundItself,
    Success,
)
from tts_gateway.faults.reply import Fault
from tts_gateway.faults.script import FaultScript, ReceivedRequest
from tts_gateway.faults.spoilers import (
    Cut,
    Delay,
    Drip,
    Encoded,
    Endless,
    Hold,
    Information,
    Length,
    Reset,
    WrongType,
)

__all__ = [
    "URL_MARK",
    "Accepted202",
    "BadWav",
    "Cut",
    "Delay",
    "Drip",
    "Encoded",
    "Endless",
    "Fault",
    "FaultScript",
    "Hold",
    "Information",
    "Length",
    "ReceivedRequest",
    "Redirect",
    "Reset",
    "Respond",
    "SoundItself",
    "Success",
    "WrongType",
]
