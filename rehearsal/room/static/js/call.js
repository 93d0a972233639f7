// The card of the voice channel you are in: sound, picture, lock.

import { ask } from "/static/js/connection.js";
import { $, el, fill } from "/static/js/dom.js";
import { icon } from "/static/js/icons.js";
import { listening } from "/static/js/listen.js";
import { channelOf, myself, on, state } from "/static/js/store.js";
import { attachWaveform } from "/static/js/waveform.js";

function draw() {
  const card = $("call");
  card.hidden = !state.call;
  if (!state.call) {
    card.dataset.key = "";
    return;
  }
  const channel = channelOf(state.call.channel);
  const alone = channel?.occupants.length === 1;
  fill(card, [channel?.name, listening.running, state.call.encrypted, state.call.meant_to_be, alone], () => {
    const canvas = el("canvas", { class: "wave", "aria-hidden": "true" });
    setTimeout(() => attachWaveform(canvas));
    return [
      el("h2", { text: channel?.name ?? "" }, lockButton()),
      canvas,
      el("p", { class: "delay", id: "delay" }),
      el("div", { class: "call-tools" }, listenButton(), volume(), leaveButton()),
    ];
  });
}

function listenButton() {
  const running = listening.running;
  return el("button", {
    type: "button",
    class: running ? "tool" : "primary",
    "aria-pressed": String(running),
    data: { focus: "listen" },
    text: running ? "Listening" : "Listen",
    on: { click: () => (running ? listening.stop() : listening.start()) },
  });
}

function volume() {
  return el("input", {
    type: "range",
    min: "0",
    max: "1",
    step: "0.05",
    value: String(listening.volume),
    "aria-label": "Volume",
    on: { input: (event) => { listening.volume = Number(event.target.value); } },
  });
}

function leaveButton() {
  return el("button", { type: "button", class: "tool", data: { focus: "leave" }, text: "Leave", on: { click: () => ask("leave") } });
}

function lockButton() {
  const closed = state.call.encrypted;
  const alone = (channelOf(state.call.channel)?.occupants.length ?? 1) < 2;
  const waiting = alone ? "Nobody else here" : "Waiting for keys";
  const words = closed ? "End-to-end encrypted" : state.call.meant_to_be ? waiting : "Not end-to-end encrypted";
  return el("button", {
    type: "button",
    class: closed ? "lock closed" : "lock",
    data: { focus: "lock" },
    "aria-haspopup": "dialog",
    on: { click: showLock },
  }, icon(closed ? "locked" : "unlocked"), el("span", { text: words }));
}

async function showLock() {
  const report = await ask("encryption");
  if (!report) return;
  const dialog = el("dialog", { class: "sheet", "aria-labelledby": "lock-title" }, ...lockWords(report));
  dialog.append(el("div", { class: "row end" }, el("button", { type: "button", class: "primary", text: "Close", on: { click: () => dialog.close() } })));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function lockWords(report) {
  const title = el("h2", { id: "lock-title", text: report.encrypted ? "End-to-end encrypted" : "Not end-to-end encrypted" });
  if (!report.meant_to_be) {
    return [title, el("p", { text: "This is a stage channel. Discord has no end-to-end encryption there, only the encryption on the way to its servers." })];
  }
  const me = myself()?.name ?? "you";
  const whole = report.packets - report.in_clear - report.too_early - report.undecryptable;
  const rows = [[`${me}, this tab`, report.code], ...report.others.map(({ name, code }) => [name, code])];
  return [
    title,
    el("p", { text: `${whole} of ${report.packets} sound packets so far were opened with keys that only the members of this call have.${lost(report)}` }),
    el("h3", { text: "Privacy code" }),
    el("table", { class: "codes" }, ...rows.map(([name, code]) => el("tr", {}, el("th", { scope: "row", text: name }), el("td", { text: grouped(code) })))),
    el("p", { class: "about", text: sameWords(report) }),
    el("p", { class: "about", text: "Discord's app shows such a code to people, and people compare it. A bot shows none: nobody outside can read what Myna computed. But a member with other keys would have another code and its sound would stay closed, so every packet that opens says that Myna is in the same group." }),
  ];
}

function sameWords(report) {
  if (!report.others.length) return "Nobody else of this room is in the call. Open a second tab, join as somebody else, and compare.";
  const same = report.others.every(({ code }) => code === report.code);
  return same ? "All codes are the same: everybody is in the same group, and nobody is in between." : "The codes differ. That is right only while somebody is just coming in.";
}

function lost(report) {
  const parts = [
    report.in_clear && `${report.in_clear} came without end-to-end encryption`,
    report.too_early && `${report.too_early} were encrypted before you came in`,
    report.undecryptable && `${report.undecryptable} could not be opened`,
  ].filter(Boolean);
  return parts.length ? ` ${parts.join(", ")}.` : "";
}

const grouped = (code) => (code ? code.replaceAll(/\s/g, "").match(/.{1,5}/g).join(" ") : "none while alone");

// On a phone the list of channels is put away, so the card stands above the command line.
function settle(narrow) {
  if (narrow) $("composer").before($("call"));
  else $("you").before($("call"));
}

export function startCall() {
  const narrow = matchMedia("(max-width: 46rem)");
  settle(narrow.matches);
  narrow.addEventListener("change", () => settle(narrow.matches));
  on("call scene listening", () => state.scene && draw());
  setInterval(() => {
    const delay = $("delay");
    if (!delay) return;
    const speaking = channelOf(state.call?.channel)?.occupants.some((occupant) => occupant.speaking);
    let words = listening.running ? "Nobody is speaking." : "You are here, and hear nothing yet.";
    if (listening.running && speaking && listening.delay !== null) words = `Live, ${listening.delay.toFixed(2)} s behind.`;
    if (delay.textContent !== words) delay.textContent = words;
  }, 250);
}
