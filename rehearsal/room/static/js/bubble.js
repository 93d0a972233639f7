// Sound as a bubble with its waveform, played and sought by mouse or keys.

import { el, minutes, svg } from "/static/js/dom.js";
import { icon } from "/static/js/icons.js";

const BARS = 48;

// What is missing of `file`, its waveform or its length, is found out by decoding it.
export function bubble(file, what = "the voice message") {
  const audio = el("audio", { preload: "none", src: file.url });
  const bars = heights(file.waveform);
  const picture = svg("svg", { viewBox: `0 0 ${BARS * 4} 32`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const rects = bars.map((height, index) => {
    const tall = Math.max(3, height * 30);
    return svg("rect", { x: index * 4, y: 16 - tall / 2, width: 2.4, height: tall, rx: 1.2 });
  });
  picture.append(...rects);
  let seconds = file.seconds ?? 0;
  const time = el("span", { class: "time", text: minutes(seconds) });
  const seek = el("input", { type: "range", min: "0", max: String(Math.max(0.1, seconds)), step: "0.1", value: "0", "aria-label": `Position in ${what}` });
  const play = el("button", { type: "button", class: "play", "aria-label": `Play ${what}` }, icon("play"));
  const show = () => {
    const part = seconds ? audio.currentTime / seconds : 0;
    rects.forEach((rect, index) => rect.classList.toggle("past", index / BARS < part));
    seek.value = String(audio.currentTime);
    time.textContent = minutes(audio.paused && !audio.currentTime ? seconds : audio.currentTime);
    play.replaceChildren(icon(audio.paused ? "play" : "pause"));
    play.setAttribute("aria-label", `${audio.paused ? "Play" : "Pause"} ${what}`);
  };
  play.addEventListener("click", () => (audio.paused ? audio.play() : audio.pause()));
  seek.addEventListener("input", () => { audio.currentTime = Number(seek.value); });
  for (const event of ["timeupdate", "play", "pause", "ended"]) audio.addEventListener(event, show);
  if (!file.waveform || !seconds) {
    measured(file).then((found) => {
      seconds = found.seconds;
      seek.max = String(Math.max(0.1, seconds));
      found.bars.forEach((height, index) => {
        const tall = Math.max(3, height * 30);
        rects[index].setAttribute("y", 16 - tall / 2);
        rects[index].setAttribute("height", tall);
      });
      show();
    }).catch(() => {}); // then it is played all the same
  }
  return el("div", { class: "bubble" }, play, el("div", { class: "track" }, picture, seek), time, audio);
}

async function measured({ url, blob }) {
  const data = await (blob ?? (await fetch(url))).arrayBuffer();
  const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(data);
  const samples = sound.getChannelData(0);
  const size = Math.max(1, Math.floor(samples.length / BARS));
  const loud = Array.from({ length: BARS }, (_, index) => {
    let sum = 0;
    for (const sample of samples.subarray(index * size, (index + 1) * size)) sum += sample * sample;
    return Math.sqrt(sum / size);
  });
  const most = Math.max(...loud, 0.001);
  return { seconds: sound.duration, bars: loud.map((height) => height / most) };
}

function heights(waveform) {
  let bytes = [];
  try {
    bytes = [...atob(waveform ?? "")].map((letter) => letter.charCodeAt(0) / 255);
  } catch {
    bytes = [];
  }
  if (!bytes.length) return new Array(BARS).fill(0.1);
  return Array.from({ length: BARS }, (_, index) => bytes[Math.floor((index * bytes.length) / BARS)]);
}
