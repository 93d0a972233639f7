// A voice message: from the microphone, or one of the recordings that come with the rehearsal.

import { bubble } from "/static/js/bubble.js";
import { ask, upload } from "/static/js/connection.js";
import { el, minutes } from "/static/js/dom.js";
import { recordings } from "/static/js/recordings.js";
import { current, state } from "/static/js/store.js";

export async function openRecorder() {
  const trouble = el("p", { class: "trouble", role: "alert" });
  const dialog = el("dialog", { class: "sheet", "aria-labelledby": "record-title" });
  const send = (details) =>
    ask("voice message", { channel: state.channel, ...details }).then(
      () => dialog.close(),
      (error) => { trouble.textContent = error.message; },
    );
  dialog.append(
    el("h2", { id: "record-title", text: `A voice message for ${current()?.name ?? "this channel"}` }),
    el("p", { class: "about", text: "Then open the menu of the message and choose Clone this voice. It is done for your own voice only; whoever wants to clone somebody else's has to ask them first." }),
    microphone(send, trouble),
    el("h3", { text: "Or one of ours" }),
    el("p", { class: "about", text: "Synthetic voices; no person was recorded." }),
    el("ul", { class: "recordings" }, ...(await recordings()).map((recording) => ours(recording, send))),
    trouble,
    el("div", { class: "row end" }, el("button", { type: "button", class: "tool", text: "Close", on: { click: () => dialog.close() } })),
  );
  dialog.addEventListener("close", () => {
    dialog.dispatchEvent(new Event("gone"));
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}

function ours(recording, send) {
  return el(
    "li",
    {},
    el("div", { class: "file-head" }, el("b", { text: recording.name }), el("button", { type: "button", class: "tool", text: "Send", "aria-label": `Send ${recording.name}`, on: { click: () => send({ recording: recording.name }) } })),
    bubble({ url: recording.url }, recording.name),
    el("p", { class: "hint", text: recording.transcript }),
  );
}

function microphone(send, trouble) {
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) {
    return el("p", { class: "about", text: "This browser does not give the page a microphone here. Open it as http://localhost, or take one of ours." });
  }
  const time = el("span", { class: "time", role: "timer", text: "0:00" });
  const button = el("button", { type: "button", class: "primary", text: "Record" });
  const player = el("audio", { controls: true, hidden: true, "aria-label": "Your recording" });
  const done = el("button", { type: "button", class: "primary", text: "Send the recording", hidden: true });
  let recorder = null;
  let ticking = 0;

  const stop = () => {
    clearInterval(ticking);
    recorder?.stream.getTracks().forEach((track) => track.stop());
    if (recorder?.state === "recording") recorder.stop();
    button.textContent = "Record again";
  };

  const record = async () => {
    trouble.textContent = "";
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const pieces = [];
    const began = Date.now();
    recorder = new MediaRecorder(stream);
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    recorder.onstop = () => {
      const blob = new Blob(pieces, { type: recorder.mimeType });
      player.src = URL.createObjectURL(blob);
      player.hidden = done.hidden = false;
      done.onclick = async () => send({ file: await upload(blob, "voice-message") });
    };
    recorder.start();
    ticking = setInterval(() => { time.textContent = minutes((Date.now() - began) / 1000); }, 250);
    button.textContent = "Stop";
  };

  button.addEventListener("click", () => {
    if (recorder?.state === "recording") stop();
    else record().catch(() => { trouble.textContent = "The microphone cannot be used: it is not there, or you have not allowed it."; });
  });
  const node = el("div", { class: "microphone" }, el("div", { class: "row" }, button, time), player, done);
  setTimeout(() => node.closest("dialog")?.addEventListener("gone", stop));
  return node;
}

// Record so many seconds; `left` is told how many there still are. Rejects where there is no microphone.
export async function recordSeconds(seconds, left) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream);
  const pieces = [];
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  const ended = new Promise((done) => { recorder.onstop = done; });
  recorder.start();
  for (let second = seconds; second > 0; second -= 1) {
    left(second);
    await new Promise((done) => { setTimeout(done, 1000); });
  }
  recorder.stop();
  await ended;
  for (const track of stream.getTracks()) track.stop();
  return new Blob(pieces, { type: recorder.mimeType });
}
