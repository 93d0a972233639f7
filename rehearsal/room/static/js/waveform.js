// A moving picture of what is heard: one bar for each moment, the newest on the right.

import { listening } from "/static/js/listen.js";

const BARS = 56;
const EVERY = 60; // milliseconds

export function attachWaveform(canvas) {
  const levels = new Array(BARS).fill(0);
  const samples = new Float32Array(1024);
  let flat = false; // then it is painted already, and a silent call costs nothing
  const timer = setInterval(() => {
    if (!canvas.isConnected) clearInterval(timer);
    if (!canvas.isConnected || document.hidden) return;
    levels.shift();
    levels.push(level(samples));
    const silent = levels.every((value) => value === 0);
    if (!(silent && flat)) paint(canvas, levels);
    flat = silent && canvas.clientWidth > 0;
  }, EVERY);
}

function level(samples) {
  if (!listening.running || !listening.analyser) return 0;
  listening.analyser.getFloatTimeDomainData(samples);
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.min(1, Math.sqrt(sum / samples.length) * 5);
}

function paint(canvas, levels) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth * ratio;
  const height = canvas.clientHeight * ratio;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = getComputedStyle(canvas).color;
  const step = width / levels.length;
  levels.forEach((value, index) => {
    const tall = Math.max(2 * ratio, value * height);
    pen.fillRect(index * step, (height - tall) / 2, Math.max(1, step - 2 * ratio), tall);
  });
}
