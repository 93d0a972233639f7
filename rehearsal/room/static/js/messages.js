// The messages of the channel, and what was asked and has no message yet.

import { $, el } from "/static/js/dom.js";
import { icon } from "/static/js/icons.js";
import { messageNode } from "/static/js/message.js";
import { openMenu } from "/static/js/menu.js";
import { attemptFor, current, messagesIn, on, person, state } from "/static/js/store.js";
import { welcome } from "/static/js/welcome.js";

const shown = new Map();
const dismissed = new Set();
let shownChannel = null;
let due = false;
let asked = 0; // attempts that were known when it was drawn last

function draw() {
  due = false;
  const log = $("log");
  const channel = current();
  if (!channel) return;
  const isFirst = shownChannel === null && !state.attempts.size; // then the first steps are to be seen
  const hasAsked = state.attempts.size > asked;
  asked = state.attempts.size;
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80 || shownChannel !== channel.id || hasAsked;
  if (shownChannel !== channel.id) {
    shown.clear();
    log.replaceChildren();
    shownChannel = channel.id;
  }
  const rows = [welcome(channel), ...messageRows(channel), ...attemptRows(channel)].filter(Boolean);
  place(log, rows);
  if (atEnd && !isFirst && (asked || !rows[0]?.matches(".welcome"))) log.scrollTop = log.scrollHeight;
}

function messageRows(channel) {
  const messages = messagesIn(channel.id);
  const ids = new Set(messages.map(({ id }) => id));
  for (const id of shown.keys()) if (!ids.has(id)) shown.delete(id);
  return messages.map((message, index) => {
    const joined = continues(messages[index - 1], message);
    const key = JSON.stringify([message, joined, attemptFor(message.id), waitingPresses(message)]);
    const known = shown.get(message.id);
    if (known?.key === key) return known.node;
    const node = messageNode(message, { joined, before: known?.node });
    const focused = known?.node.contains(document.activeElement) ? document.activeElement : null;
    known?.node.replaceWith(node);
    if (focused) refocus(node, focused);
    shown.set(message.id, { key, node });
    return node;
  });
}

function refocus(node, focused) {
  const same = focused.dataset.custom ? node.querySelector(`[data-custom="${CSS.escape(focused.dataset.custom)}"]`) : null;
  (same && !same.disabled ? same : node).focus();
}

function waitingPresses(message) {
  return [...state.attempts.values()]
    .filter((attempt) => attempt.source === message.id)
    .map(({ number, state: at, failure }) => [number, at, failure]);
}

function continues(before, message) {
  if (!before || message.used || message.pressed || message.reply || message.ephemeral !== before.ephemeral) return false;
  return before.author.id === message.author.id && message.at - before.at < 300;
}

// What was asked in this channel and has no message: on its way, or failed.
function attemptRows(channel) {
  return [...state.attempts.values()]
    .filter((attempt) => attempt.channel === channel.id && !attempt.message && !attempt.source && !dismissed.has(attempt.number))
    .filter((attempt) => attempt.state === "waiting" || attempt.state === "failed")
    .map(attemptRow);
}

function attemptRow(attempt) {
  const failed = attempt.state === "failed";
  return el(
    "article",
    { class: "message attempt", data: { attempt: attempt.number } },
    el("p", { class: "used" }, `${person(attempt.person)?.name ?? ""} used `, el("b", { text: attempt.what })),
    failed
      ? el("p", { class: "failure" }, icon("warning"), ` ${attempt.failure}`)
      : el("p", { class: "thinking" }, el("span", { class: "dots", "aria-hidden": "true" }), "Sending command …"),
    failed
      ? el(
          "p",
          { class: "only-you" },
          "Only you can see this · ",
          el("button", { type: "button", class: "link", text: "Dismiss message", on: { click: () => { dismissed.add(attempt.number); schedule(); } } }),
        )
      : null,
  );
}

function place(log, rows) {
  rows.forEach((row, index) => {
    if (log.children[index] !== row) log.insertBefore(row, log.children[index] ?? null);
  });
  while (log.children.length > rows.length) log.lastElementChild.remove();
}

function schedule() {
  if (due) return;
  due = true;
  queueMicrotask(draw);
}

// Arrows walk through the messages; the menu key, Shift+F10 or Enter opens what to do with one.
function walk(event) {
  const log = $("log");
  const rows = [...log.querySelectorAll(".message[data-id]")];
  const index = rows.indexOf(document.activeElement);
  if (event.target !== log && index < 0) return;
  const go = { ArrowUp: index < 0 ? rows.length - 1 : index - 1, ArrowDown: index + 1, Home: 0, End: rows.length - 1 }[event.key];
  if (go !== undefined) {
    event.preventDefault();
    rows[Math.max(0, Math.min(rows.length - 1, go))]?.focus();
  } else if (index >= 0 && (event.key === "Enter" || event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey))) {
    event.preventDefault();
    openMenu(state.messages.get(rows[index].dataset.id), rows[index]);
  }
}

// What makes the log smaller, as an opening form does, leaves its end in sight.
function stayAtEnd() {
  const log = $("log");
  let atEnd = true;
  log.addEventListener("scroll", () => { atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80; });
  new ResizeObserver(() => { if (atEnd && asked) log.scrollTop = log.scrollHeight; }).observe(log);
}

export function startMessages() {
  stayAtEnd();
  on("messages attempts channel hello scene progress", schedule);
  $("log").addEventListener("keydown", walk);
}
