// The first steps, on top of the first channel, until they are done or put away.

import { begin } from "/static/js/composer.js";
import { el, fill } from "/static/js/dom.js";
import { listening } from "/static/js/listen.js";
import { recordings } from "/static/js/recordings.js";
import { joinVoice } from "/static/js/sidebar.js";
import { allChannels, on, state, tell } from "/static/js/store.js";

const FIRST = "Hello everybody, I am Myna. I say what you type.";
const SECOND = "The ferry leaves at nine, whatever the weather.";

let node = null;
let away = sessionStorage.getItem("welcome") === "away";

export function welcome(channel) {
  const first = state.scene?.guilds[0].channels[0];
  if (away || channel.id !== first?.id && channel.kind !== "voice") return null;
  node ??= el("section", { class: "welcome", "aria-label": "First steps" });
  const listens = Boolean(state.call) && listening.running;
  const spoken = given("/speak");
  const cloned = given("/clone", "pressed This is my own voice");
  const done = spoken && cloned;
  node.classList.toggle("small", done);
  fill(node, [listens, spoken, cloned, done], () => (done ? further() : [
    el("h3", { text: "Hear it within a minute" }),
    el("p", { class: "about", text: "Everything here is real but the company: the bot is logged in to a Discord of our own, on this machine. Nothing leaves it." }),
    el(
      "ol",
      { class: "steps" },
      step(listens, "Go into a voice channel and listen.", "Join Perch", "join", joinPerch),
      step(spoken, "Let Myna say a sentence.", "Try /speak", "speak", () => begin("speak", { text: FIRST })),
      step(cloned, "Give it a voice: drop a recording, or take one of ours.", "Try /clone", "clone", cloneOne),
    ),
    el("button", { type: "button", class: "link", data: { focus: "away" }, text: "Put these steps away", on: { click: putAway } }),
  ]));
  return node;
}

function further() {
  return [
    el("h3", { text: "You have heard it. What else there is" }),
    el(
      "ul",
      { class: "further" },
      el("li", { text: "Right-click a message, or press Enter on it: Speak this, Clone this voice, Save this voice." }),
      el("li", { text: "Save the voice: /voice save. Make one up: /voice design." }),
      el("li", { text: "Open this page in a second tab: you are somebody else there." }),
      el("li", { text: "Faults breaks things around the bot; Developer shows what passes." }),
    ),
    el("button", { type: "button", class: "link", data: { focus: "away" }, text: "Put this away", on: { click: putAway } }),
  ];
}

function step(done, words, label, focus, run) {
  return el(
    "li",
    { class: done ? "done" : "" },
    el("span", {}, words, done ? el("span", { class: "hidden", text: " Done." }) : null),
    el("button", { type: "button", class: done ? "tool" : "primary", data: { focus }, text: label, on: { click: run } }),
  );
}

// Whether one of these has brought a sound, as a file or to be heard; a question that is asked first is none.
function given(...whats) {
  return [...state.attempts.values()].some((attempt) => whats.includes(attempt.what) && attempt.given);
}

function joinPerch() {
  const perch = allChannels().find(({ kind, can_connect: open }) => kind === "voice" && open);
  if (perch) joinVoice(perch);
}

async function cloneOne() {
  const [recording] = await recordings();
  begin("clone", { text: SECOND, reference: await recording.file(), transcript: recording.transcript });
}

function putAway() {
  away = true;
  sessionStorage.setItem("welcome", "away");
  tell("progress");
}

export function startWelcome() {
  on("listening attempts call", () => tell("progress"));
}
