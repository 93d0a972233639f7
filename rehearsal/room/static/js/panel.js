// The panel at the side: faults to switch on, and what passes between Discord and the bot.

import { ask } from "/static/js/connection.js";
import { $, el, fill, newId } from "/static/js/dom.js";
import { icon } from "/static/js/icons.js";
import { ms, timesOf } from "/static/js/message.js";
import { on, person, state } from "/static/js/store.js";

let open = null;
const ways = { event: "→ bot", request: "← bot", frame: "← bot", note: "you" };
const hiddenWays = new Set();

function toggle(name) {
  open = open === name ? null : name;
  $("panel").hidden = !open;
  $("panel").dataset.key = "";
  $("room").classList.toggle("with-panel", Boolean(open));
  document.body.classList.toggle("developer", open === "wire");
  for (const one of ["faults", "wire"]) $(`open-${one}`).setAttribute("aria-expanded", String(open === one));
  draw();
  if (open) $("panel").querySelector("h2").focus();
  else $(name === "wire" ? "open-wire" : "open-faults").focus();
}

function draw() {
  if (open === "faults") fill($("panel"), state.switches, faults);
  if (open === "wire") drawWire();
}

function head(title, about) {
  return el(
    "header",
    { class: "panel-head" },
    el("h2", { tabindex: "-1", text: title }),
    el("button", { type: "button", class: "quiet", "aria-label": `Close ${title}`, on: { click: () => toggle(open) } }, icon("close")),
    el("p", { class: "about", text: about }),
  );
}

// -- faults ---------------------------------------------------------------------------------------

function faults() {
  const groups = new Map();
  for (const one of state.switches) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  const told = el("p", { class: "told", role: "status", id: "told", text: lastTold });
  return [
    head("Faults", "Break things, and watch how the bot recovers."),
    told,
    ...[...groups].map(([name, all]) => el("section", { class: "faults" }, el("h3", { text: name }), ...all.map(fault))),
  ];
}

let lastTold = "";

async function turn(one, value) {
  say(`${one.label} …`);
  say(await ask("switch", { name: one.name, value }).then(({ told }) => told, (error) => error.message));
}

function say(words) {
  lastTold = words;
  if ($("told")) $("told").textContent = words;
}

function fault(one) {
  const about = newId("fault");
  const control = { toggle: toggleControl, choice: choiceControl, action: actionControl }[one.kind](one, about);
  return el("div", { class: one.why_not ? "fault off" : "fault" }, ...control, el("p", { class: "hint", id: about, text: one.why_not ?? one.about }));
}

const disabled = (one) => (one.why_not ? true : null);

function toggleControl(one, about) {
  return [
    el("button", {
      type: "button",
      role: "switch",
      class: "switch",
      "aria-checked": String(Boolean(one.value)),
      "aria-describedby": about,
      disabled: disabled(one),
      data: { focus: one.name },
      text: one.label,
      on: { click: () => turn(one, !one.value) },
    }),
  ];
}

function choiceControl(one, about) {
  const id = newId("choice");
  const select = el(
    "select",
    { id, "aria-describedby": about, disabled: disabled(one), data: { focus: one.name }, on: { change: () => turn(one, select.value) } },
    ...one.options.map(({ value, label }) => el("option", { value, text: label, selected: value === one.value })),
  );
  return [el("label", { for: id, text: one.label }), select];
}

function actionControl(one, about) {
  return [el("button", { type: "button", class: "tool", "aria-describedby": about, disabled: disabled(one), data: { focus: one.name }, text: one.label, on: { click: () => turn(one, null) } })];
}

// -- the wire -------------------------------------------------------------------------------------

function drawWire() {
  const panel = $("panel");
  if (panel.dataset.key !== "wire") {
    panel.dataset.key = "wire";
    panel.replaceChildren(
      head("Developer", "What went over REST and the websocket, as it passed. Nothing here comes from inside the bot."),
      el("h3", { text: "Answers" }),
      el("div", { class: "scroll" }, el("table", { class: "answers", id: "answers" })),
      el("h3", { text: "On the wire" }),
      el("div", { class: "row", role: "group", "aria-label": "Show" }, ...Object.keys(ways).map(wayButton)),
      el("ol", { class: "wire", id: "wire", "aria-label": "Newest first" }),
    );
  }
  drawAnswers();
  drawEntries();
}

function wayButton(way) {
  const button = el("button", {
    type: "button",
    class: "chip",
    "aria-pressed": String(!hiddenWays.has(way)),
    text: `${way}s`,
    on: {
      click: () => {
        hiddenWays[hiddenWays.has(way) ? "delete" : "add"](way);
        button.setAttribute("aria-pressed", String(!hiddenWays.has(way)));
        $("wire").replaceChildren();
        drawEntries();
      },
    },
  });
  return button;
}

function drawAnswers() {
  const rows = [...state.attempts.values()].slice(-8).reverse();
  $("answers").replaceChildren(
    el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "Asked" }), el("th", { scope: "col", text: "How it went" }))),
    el("tbody", {}, ...rows.map((attempt) => el("tr", {}, el("th", { scope: "row", text: `${person(attempt.person)?.name ?? ""} ${attempt.what}` }), el("td", { text: attempt.failure ?? (timesOf(attempt).join(", ") || "waiting") })))),
  );
}

function drawEntries() {
  const list = $("wire");
  const newest = Number(list.firstElementChild?.dataset.number ?? 0);
  const news = state.entries.filter((entry) => entry.number > newest && !hiddenWays.has(entry.way));
  for (const entry of news) list.prepend(entryNode(entry));
  while (list.children.length > 200) list.lastElementChild.remove();
}

function entryNode(entry) {
  const at = new Date(entry.at * 1000).toISOString().slice(11, 23);
  const words = [
    el("time", { text: at }),
    el("span", { class: `way ${entry.way}`, text: ways[entry.way] ?? entry.way }),
    entry.status ? el("span", { class: entry.status < 400 ? "status" : "status bad", text: String(entry.status) }) : null,
    entry.seconds === null ? null : el("span", { class: "took", text: ms(entry.seconds) }),
    el("code", { text: entry.title }),
    entry.detail ? el("span", { class: "hint", text: entry.detail }) : null,
  ];
  if (entry.way === "note") return el("li", { class: "note", data: { number: entry.number } }, ...words);
  const pre = el("pre", { tabindex: "0", "aria-label": `Payload of ${entry.title}` });
  const details = el("details", {}, el("summary", {}, ...words.filter(Boolean)), pre);
  details.addEventListener("toggle", async () => {
    if (details.open && !pre.textContent) pre.textContent = (await ask("trace", { number: entry.number })).payload;
  });
  return el("li", { data: { number: entry.number } }, details);
}

export function startPanel() {
  $("open-faults").addEventListener("click", () => toggle("faults"));
  $("open-wire").addEventListener("click", () => toggle("wire"));
  $("panel").addEventListener("keydown", (event) => event.key === "Escape" && toggle(open));
  on("switches", draw);
  on("entries attempts hello", () => open === "wire" && drawWire());
}
