"""The voice side of the rehearsal: websocket, UDP, end-to-end encryption, a listener."""
