// Buttons, menus and the newer layout components of a message.

import { ask } from "/static/js/connection.js";
import { el } from "/static/js/dom.js";
import { icon } from "/static/js/icons.js";
import { markdown } from "/static/js/markdown.js";
import { current, state, tell } from "/static/js/store.js";

const ROW = 1, BUTTON = 2, STRING_SELECT = 3, USER_SELECT = 5, ROLE_SELECT = 6, MENTIONABLE_SELECT = 7, CHANNEL_SELECT = 8;
const SECTION = 9, TEXT = 10, THUMBNAIL = 11, GALLERY = 12, FILE = 13, SEPARATOR = 14, CONTAINER = 17;
const STYLES = { 1: "primary", 2: "tool", 3: "success", 4: "danger" };
const SELECTS = [STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT];

export function components(message) {
  return el("div", { class: "components" }, ...message.components.map((data) => one(data, message)), failedPress(message));
}

function one(data, message) {
  if (data.type === ROW) return el("div", { class: "row" }, ...data.components.map((child) => one(child, message)));
  if (data.type === BUTTON) return button(data, message);
  if (SELECTS.includes(data.type)) return select(data, message);
  if (data.type === TEXT) return el("div", { class: "text" }, ...markdown(data.content));
  if (data.type === SEPARATOR) return el("hr", { class: data.divider === false ? "gap" : "" });
  if (data.type === SECTION) {
    return el("div", { class: "section" }, el("div", {}, ...data.components.map((child) => one(child, message))), one(data.accessory, message));
  }
  if (data.type === CONTAINER) {
    const node = el("div", { class: "container" }, ...data.components.map((child) => one(child, message)));
    if (data.accent_color) node.style.setProperty("--edge", `#${data.accent_color.toString(16).padStart(6, "0")}`);
    return node;
  }
  if (data.type === FILE) return el("p", { class: "hint", text: data.file.url.replace("attachment://", "") });
  if (data.type === THUMBNAIL || data.type === GALLERY) return el("p", { class: "hint", text: "(a picture)" });
  return el("p", { class: "hint", text: `(a component of type ${data.type})` });
}

function attemptsAt(message) {
  return [...state.attempts.values()].filter((attempt) => attempt.source === message.id);
}

function failedPress(message) {
  const last = attemptsAt(message).at(-1);
  return last?.failure ? el("p", { class: "failure", role: "alert" }, icon("warning"), " This interaction failed") : null;
}

const label = (data) => [data.emoji?.name, data.label].filter(Boolean).join(" ");

function button(data, message) {
  if (data.style === 5) return el("a", { class: "tool button", href: data.url, rel: "noreferrer noopener", target: "_blank", text: `${label(data)} ↗` });
  const waiting = attemptsAt(message).some((attempt) => attempt.state === "waiting" && !attempt.acknowledged_after);
  return el("button", {
    type: "button",
    class: STYLES[data.style] ?? "tool",
    disabled: data.disabled || null,
    "aria-busy": waiting ? "true" : null,
    "aria-label": data.label ? null : data.emoji?.name,
    data: { custom: data.custom_id ?? "" },
    text: label(data),
    on: { click: () => send("press", { message: message.id, custom_id: data.custom_id, label: label(data) }) },
  });
}

export function choicesOf(data) {
  if (data.options) return data.options.map(({ value, label: name, description }) => [value, description ? `${name} — ${description}` : name]);
  const guild = current()?.guild;
  const people = state.scene.people.map(({ id, name }) => [id, name]);
  const roles = guild?.roles.map(({ id, name }) => [id, `@${name}`]) ?? [];
  if (data.type === USER_SELECT) return people;
  if (data.type === ROLE_SELECT) return roles;
  if (data.type === MENTIONABLE_SELECT) return [...people, ...roles];
  return guild?.channels.map(({ id, name }) => [id, `#${name}`]) ?? [];
}

function select(data, message) {
  const many = (data.max_values ?? 1) > 1;
  const chosen = new Set([...(data.options ?? []).filter((option) => option.default).map(({ value }) => value)]);
  const node = el(
    "select",
    {
      "aria-label": data.placeholder ?? "Make a selection",
      multiple: many || null,
      disabled: data.disabled || null,
      data: { custom: data.custom_id },
      on: { change: () => !many && node.value && send("select", { message: message.id, custom_id: data.custom_id, values: [node.value] }) },
    },
    many || chosen.size ? null : el("option", { value: "", text: data.placeholder ?? "Make a selection" }),
    ...choicesOf(data).map(([value, name]) => el("option", { value, text: name, selected: chosen.has(value) })),
  );
  if (!many) return node;
  const done = el("button", {
    type: "button",
    class: "tool",
    text: "Choose",
    on: { click: () => send("select", { message: message.id, custom_id: data.custom_id, values: [...node.selectedOptions].map(({ value }) => value) }) },
  });
  return el("div", { class: "row" }, node, done);
}

function send(what, details) {
  ask(what, details).catch((error) => tell("trouble", error.message));
}
