"""What the page's own audio graph received, as PCM."""

from __future__ import annotations

import base64

from playwright.async_api import Page

HEAD_BYTES = 16
"""Before the PCM of a piece: when it came, and its number (`rehearsal.room.hearing.Hearing`)."""

_TAP_SAMPLES = 16384
"""A third of a second, the longest there is: what comes while the page is busy for longer is not kept."""

_START = """
async (size) => {
  const { listening } = await import("/static/js/listen.js");
  const tap = listening.context.createScriptProcessor(size, 1, 1);
  const pieces = [];
  tap.onaudioprocess = (event) => pieces.push(new Float32Array(event.inputBuffer.getChannelData(0)));
  listening.output.connect(tap);
  tap.connect(listening.context.destination);
  window.tapped = pieces;
}
"""
_TAKE = """
() => {
  const pieces = window.tapped;
  const samples = new Int16Array(pieces.reduce((count, piece) => count + piece.length, 0));
  pieces.forEach((piece, at) => piece.forEach((value, i) => {
    samples[at * piece.length + i] = Math.max(-32768, Math.min(32767, Math.round(value * 32767)));
  }));
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}
"""
_DELAYS = '() => import("/static/js/listen.js").then(({ listening }) => listening.delays)'
_SILENT = """
async (seconds) => {
  const { listening } = await import("/static/js/listen.js");
  const samples = new Float32Array(1024);
  let quiet = performance.now();
  let heard = false;
  const began = performance.now();
  while (!heard || performance.now() - quiet < seconds * 1000) {
    listening.analyser.getFloatTimeDomainData(samples);
    if (samples.some((sample) => Math.abs(sample) > 0.002)) { heard = true; quiet = performance.now(); }
    if (performance.now() - began > 60_000) throw new Error(heard ? "It goes on." : "Nothing is heard.");
    await new Promise((done) => setTimeout(done, 20));
  }
}
"""


def sound_frames(page: Page) -> list[bytes]:
    """Return a list that grows by each piece of sound that is sent to ``page``; load it after this."""
    frames: list[bytes] = []

    def take(data: str | bytes) -> None:
        if isinstance(data, bytes):
            frames.append(data)

    page.on("websocket", lambda socket: socket.on("framereceived", take))
    return frames


async def start_tap(page: Page) -> None:
    """Begin to keep what reaches the loudspeakers of ``page``."""
    await page.evaluate(_START, _TAP_SAMPLES)


async def until_silent(page: Page, *, seconds: float = 1.0) -> None:
    """Return once the page's analyser has seen sound, and then none for ``seconds``; fail after a minute."""
    await page.evaluate(_SILENT, seconds)


async def tapped(page: Page) -> bytes:
    """Return what was kept, to a third of a second before now: 48 kHz mono 16-bit PCM."""
    return base64.b64decode(await page.evaluate(_TAKE))


async def delays(page: Page) -> list[float]:
    """Return how many seconds behind the packets each of the last pieces of sound was played."""
    found: list[float] = await page.evaluate(_DELAYS)
    return found
