"""The rehearsal room: a web page on loopback on which a newcomer uses the whole bot."""
