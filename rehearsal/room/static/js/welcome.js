// The first steps, on top of the first channel, until they are done or put away.

import { bubble } from "/static/js/bubble.js";
import { begin } from "/static/js/composer.js";
import { el, fill } from "/static/js/dom.js";
import { listening } from "/static/js/listen.js";
import { recordSeconds } from "/static/js/record.js";
import { recordings } from "/static/js/recordings.js";
import { joinVoice } from "/static/js/sidebar.js";
import { allChannels, on, state, tell } from "/static/js/store.js";

const FIRST = "Hello everybody, I am Myna. I say what you type.";
const SECOND = "The ferry leaves at nine, whatever the weather.";
const SECONDS = 5;
const SAMPLES = [
  ["Wizard", { text: "You shall hear me, and remember it.", style: "an old man, slow and deep" }],
  ["Narrator", { text: "It was the first morning of the year, and nobody was awake.", style: "a calm woman, warm" }],
  ["Child", { text: "Can we keep it? Please, please, can we keep it?", style: "a child, bright and fast" }],
  ["Announcer", { text: "Ladies and gentlemen, please mind the step.", style: "a loud announcer, clear and slow" }],
];

let node = null;
let away = sessionStorage.getItem("welcome") === "away";
let recording = 0; // seconds that are left
let trouble = "";
let original = null; // what was cloned last: its address and name

export function welcome(channel) {
  const first = state.scene?.guilds[0].channels[0];
  if (away || channel.id !== first?.id && channel.kind !== "voice") return null;
  node ??= el("section", { class: "welcome", "aria-label": "First steps" });
  const joined = note("joined", Boolean(state.call) && listening.running) && Boolean(state.call);
  const spoken = note("spoken", given("/speak"));
  const cloned = note("cloned", given("/clone", "pressed This is my own voice"));
  const done = joined && spoken && cloned;
  const next = [joined, spoken, cloned].indexOf(false);
  const clone = original && cloned ? cloneOf() : null;
  node.classList.toggle("small", done);
  fill(node, [joined, spoken, cloned, done, recording, trouble, clone?.url, state.scene.bot.engine], () => (done ? further(clone) : [
    el("h3", { text: "Hear it within a minute" }),
    el("p", { class: "about", text: `Everything is real except the people${state.scene.bot.engine === "preview" ? " and the voice" : ""}: the bot is logged in to a Discord on this machine. Nothing leaves it.` }),
    whatSpeaks(),
    el(
      "ol",
      { class: "steps" },
      step(joined, next === 0, "Join a voice channel.", "Join Perch", "join", joinPerch),
      step(spoken, next === 1, "Let Myna say a sentence.", "Try /speak", "speak", () => begin("speak", { text: FIRST })),
      step(cloned, next === 2, "Record 5 seconds, and hear yourself. Or take a recording of ours.", recording ? `Speak … ${recording}` : "Record 5 seconds", "record", recordMine, el("button", { type: "button", class: "tool", data: { focus: "clone" }, text: "Try /clone", on: { click: cloneOne } })),
    ),
    trouble ? el("p", { class: "trouble", role: "alert", text: trouble }) : null,
    samples(),
    compared(clone),
    el("button", { type: "button", class: "link", data: { focus: "away" }, text: "Hide", on: { click: putAway } }),
  ].filter(Boolean)));
  return node;
}

function further(clone) {
  return [
    el("h3", { text: "Nice! Now try:" }),
    el(
      "ul",
      { class: "further" },
      el("li", { text: "Right-click a message, or press Enter on it: Speak this, Clone this voice, Save this voice." }),
      el("li", { text: "Save the voice: /voice save. Make one up: /voice design." }),
      el("li", { text: "Open this page in a second tab: you are somebody else there." }),
      el("li", { text: "Faults: break things, and watch how the bot recovers. Developer shows what passes." }),
    ),
    whatSpeaks(),
    samples(),
    compared(clone),
    el("button", { type: "button", class: "link", data: { focus: "away" }, text: "Hide", on: { click: putAway } }),
  ].filter(Boolean);
}

// What makes the voice on this machine; nothing where the hosted model does.
function whatSpeaks() {
  const engine = state.scene.bot.engine;
  if (engine === "sherpa") {
    return el(
      "p",
      { class: "about preview" },
      "English is spoken by a neural voice on this machine. Other languages, styles and clones are still the ",
      el("b", { text: "offline preview voice" }),
      "; the answer says so.",
    );
  }
  if (engine !== "preview") return null;
  return el(
    "p",
    { class: "about preview" },
    "You hear the ",
    el("b", { text: "offline preview voice" }),
    " (espeak-ng). For a real English voice, stop this, type ",
    el("code", { text: "make voices" }),
    " and start again. For clones too, put a key from ",
    el("a", { href: "https://www.pixazo.ai/models/voxcpm", rel: "noreferrer noopener", target: "_blank", text: "Pixazo" }),
    " into .env as TTS_API_KEY.",
  );
}

function step(done, isNext, words, label, focus, run, more = null) {
  return el(
    "li",
    { class: done ? "done" : "" },
    el("span", {}, words, done ? el("span", { class: "hidden", text: " Done." }) : null),
    el("span", { class: "row" }, more, el("button", { type: "button", class: isNext ? "primary" : "tool", data: { focus }, text: label, on: { click: run } })),
  );
}

function samples() {
  return el(
    "p",
    { class: "row samples" },
    el("span", { class: "about", text: "Or hear one at once:" }),
    ...SAMPLES.map(([name, values]) => el("button", { type: "button", class: "chip", data: { focus: name }, text: name, on: { click: () => begin("speak", values, { now: true }) } })),
  );
}

// The recording and its clone, side by side.
function compared(clone) {
  if (!clone) return null;
  return el(
    "div",
    { class: "compared" },
    el("div", {}, el("p", { class: "about", text: "The recording" }), bubble(original, "the recording")),
    el("div", {}, el("p", { class: "about", text: "The clone" }), bubble({ url: clone.url }, "the clone")),
  );
}

function cloneOf() {
  const attempts = [...state.attempts.values()].filter(({ what, given: is, message }) => is && message && ["/clone", "pressed This is my own voice"].includes(what));
  return state.messages.get(attempts.at(-1)?.message)?.files.find(({ type }) => type.startsWith("audio/")) ?? null;
}

// Whether one of these has brought a sound, as a file or to be heard; a question that is asked first is none.
function given(...whats) {
  return [...state.attempts.values()].some((attempt) => whats.includes(attempt.what) && attempt.given);
}

// What was done once stays done, after a reload and as somebody else.
function note(what, holds) {
  if (holds) sessionStorage.setItem(`done-${what}`, "yes");
  return holds || sessionStorage.getItem(`done-${what}`) === "yes";
}

function joinPerch() {
  const perch = allChannels().find(({ kind, can_connect: open }) => kind === "voice" && open);
  if (perch) joinVoice(perch);
}

async function cloneOne() {
  const [one] = await recordings();
  original = { url: one.url };
  begin("clone", { text: SECOND, recording: await one.file(), transcript: one.transcript });
}

async function recordMine() {
  if (recording) return;
  trouble = "";
  try {
    const blob = await recordSeconds(SECONDS, (left) => { recording = left; tell("progress"); });
    original = { url: URL.createObjectURL(blob), blob };
    const kind = blob.type.includes("ogg") ? "ogg" : blob.type.includes("mp4") ? "m4a" : "webm";
    begin("clone", { text: SECOND, recording: new File([blob], `my-voice.${kind}`, { type: blob.type }) }, { now: true });
  } catch {
    trouble = "The microphone can't be used: it isn't there, or you haven't allowed it. Try one of our recordings.";
  }
  recording = 0;
  tell("progress");
}

function putAway() {
  away = true;
  sessionStorage.setItem("welcome", "away");
  tell("progress");
}

export function startWelcome() {
  on("listening attempts call messages", () => tell("progress"));
}
