"""What can be made to go wrong on the voice side, as plain values a test sets at any time."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.voice.codes import CloseCode


@dataclass(slots=True, kw_only=True)
class VoiceFaults:
    """The misbehaviour asked of a `VoiceServer`; the default is to behave.

    ``op4_version_zero_first``: SESSION_DESCRIPTION says end-to-end encryption version 0, and the call
    is upgraded ``upgrade_delay`` seconds later. ``mls_delay``: seconds between a key package and the
    proposal to add its sender. ``drop_every``: every n-th packet is lost (0: none). ``no_udp_answer``:
    IP discovery is not answered. ``no_session_description``: SELECT_PROTOCOL is not answered.
    ``invalid_commits``: how many of the next commits and welcomes reach the bot damaged.
    ``alone_version_zero``: when the last human leaves, the call falls back to version 0.
    ``moved_close_code``: how a websocket ends whose bot was moved (None: it is left open).
    ``identify_close_code``: how the websocket of a bot that identifies ends (None: it is let in).
    ``transition_seconds``: how long a transition waits for members who do not say they are ready.
    """

    op4_version_zero_first: bool = False
    upgrade_delay: float = 0.0
    mls_delay: float = 0.0
    drop_every: int = 0
    no_udp_answer: bool = False
    no_session_description: bool = False
    invalid_commits: int = 0
    alone_version_zero: bool = False
    moved_close_code: int | None = CloseCode.DISCONNECTED
    identify_close_code: int | None = None
    transition_seconds: float = 2.0
