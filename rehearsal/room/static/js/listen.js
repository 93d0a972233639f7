// The voice channel as sound: 20 ms pieces of PCM, each scheduled right behind the one before.

import { ask, whenSound } from "/static/js/connection.js";
import { on, state, tell } from "/static/js/store.js";

const RATE = 48000;
const HEAD = 16;
const CUSHION = 0.09;      // seconds of sound held back, so that a late piece leaves no hole
const TOO_FAR = 0.45;      // further behind than this is never live

class Listening {
  context = null;
  output = null;
  analyser = null;
  wanted = false;
  pieces = 0;
  delay = null;
  delays = [];
  #next = 0;

  // Begin to listen; browsers allow it only while a key or a button is being pressed.
  async start() {
    this.wanted = true;
    if (!this.context) this.#build();
    await this.context.resume();
    await ask("listen", { on: true });
    tell("listening");
  }

  async stop() {
    this.wanted = false;
    await ask("listen", { on: false }).catch(() => {});
    await this.context?.suspend();
    tell("listening");
  }

  get running() {
    return this.wanted && this.context?.state === "running";
  }

  get volume() {
    return this.output?.gain.value ?? Number(localStorage.getItem("volume") ?? 1);
  }

  set volume(value) {
    localStorage.setItem("volume", value);
    if (this.output) this.output.gain.value = value;
  }

  #build() {
    this.context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    this.output = this.context.createGain();
    this.output.gain.value = Number(localStorage.getItem("volume") ?? 1);
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.output.connect(this.analyser);
    this.analyser.connect(this.context.destination);
    this.context.onstatechange = () => tell("listening");
  }

  take(frame) {
    if (!this.running) return;
    const samples = new Int16Array(frame, HEAD);
    if (!samples.length) return;
    const buffer = this.context.createBuffer(1, samples.length, RATE);
    const channel = buffer.getChannelData(0);
    for (let i = 0; i < samples.length; i += 1) channel[i] = samples[i] / 32768;
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.output);
    this.#schedule(source, buffer.duration);
    this.#measure(new DataView(frame).getFloat64(0, true), buffer.duration);
  }

  #schedule(source, duration) {
    const now = this.context.currentTime;
    if (this.#next < now) this.#next = now + CUSHION;
    else if (this.#next > now + TOO_FAR) return;
    source.start(this.#next);
    this.#next += duration;
    this.pieces += 1;
  }

  #measure(arrival, duration) {
    const ahead = this.#next - duration - this.context.currentTime + (this.context.outputLatency || this.context.baseLatency || 0);
    this.delay = (Date.now() - arrival) / 1000 + ahead;
    this.delays = [...this.delays.slice(-249), this.delay];
  }
}

export const listening = new Listening();

whenSound((frame) => listening.take(frame));
on("hello", () => {
  if (listening.wanted) ask("listen", { on: true });
});
on("call", () => {
  if (!state.call && listening.wanted) listening.stop();
});
