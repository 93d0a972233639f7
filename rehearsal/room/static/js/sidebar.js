// Servers, channels, who is in voice, and who this tab is.

import { ask } from "/static/js/connection.js";
import { $, el, fill } from "/static/js/dom.js";
import { icon } from "/static/js/icons.js";
import { listening } from "/static/js/listen.js";
import { openPersonMenu } from "/static/js/menu.js";
import { soundboard } from "/static/js/soundboard.js";
import { choose, current, myself, on, state, tell } from "/static/js/store.js";

export async function joinVoice(channel) {
  const begin = listening.start(); // first, while the browser still sees the key or button pressed
  try {
    await ask("join", { channel: channel.id });
    await begin;
    choose(channel.id);
  } catch (error) {
    tell("trouble", error.message);
  }
}

function drawPlaces() {
  const { guilds, dm } = state.scene;
  const key = [guilds, state.channel, [...state.unread], state.call?.channel];
  fill($("places"), key, () => [
    ...guilds.map((guild) => section(guild.name, guild.channels.map(row), soundboard(guild))),
    section("Direct messages", [row({ id: dm, name: state.scene.bot.name, kind: "dm", occupants: [] })]),
  ]);
}

function section(name, rows, more = null) {
  return el("section", { class: "server", "aria-label": name }, el("h2", { text: name }), el("ul", {}, ...rows), more);
}

function row(channel) {
  const here = channel.id === state.channel;
  const inside = state.call?.channel === channel.id;
  const voice = channel.kind === "voice" || channel.kind === "stage";
  const classes = ["channel", here && "here", state.unread.has(channel.id) && "unread"].filter(Boolean).join(" ");
  const button = el(
    "button",
    {
      type: "button",
      class: classes,
      "aria-current": here ? "page" : null,
      data: { focus: channel.id, channel: channel.name },
      disabled: voice && !channel.can_connect && !inside ? true : null,
      on: { click: () => (voice && !inside ? joinVoice(channel) : choose(channel.id)) },
    },
    el("span", { class: "sign" }, icon(channel.kind)),
    el("span", { class: "name", text: channel.name }),
    state.unread.has(channel.id) ? el("span", { class: "hidden", text: " (unread)" }) : null,
    voice ? el("span", { class: "hint", text: hint(channel, inside) }) : null,
  );
  const people = channel.occupants.map((occupant) => occupantRow(occupant));
  return el("li", {}, button, people.length ? el("ul", { class: "occupants" }, ...people) : null);
}

function hint(channel, inside) {
  if (inside) return "you are here";
  if (!channel.can_connect) return "closed to you";
  return channel.limit ? `join · ${channel.occupants.length}/${channel.limit}` : "join";
}

function occupantRow(occupant) {
  const words = [
    occupant.bot && "bot",
    occupant.muted && "muted",
    occupant.suppressed && "audience",
    occupant.speaking && "speaking",
  ].filter(Boolean);
  return el(
    "li",
    { class: occupant.speaking ? "occupant speaking" : "occupant" },
    avatar(occupant),
    whoButton(occupant),
    words.length ? el("span", { class: "hint", text: words.join(", ") }) : null,
  );
}

function whoButton(occupant) {
  const open = (anchor, at) => openPersonMenu(occupant, state.channel, anchor, at);
  return el("button", {
    type: "button",
    class: "who",
    data: { focus: `who-${occupant.id}` },
    "aria-haspopup": "menu",
    text: occupant.id === state.me ? `${occupant.name} (you)` : occupant.name,
    on: {
      click: ({ currentTarget }) => open(currentTarget),
      contextmenu: (event) => {
        event.preventDefault();
        open(event.currentTarget, { x: event.clientX, y: event.clientY });
      },
    },
  });
}

export function avatar({ name, bot, id }) {
  if (bot) return el("img", { class: "avatar bot", src: "/static/icon.svg", alt: "" });
  const tint = `tint-${[...String(id)].reduce((sum, digit) => sum + Number(digit), 0) % 5}`;
  return el("span", { class: `avatar ${tint}`, "aria-hidden": "true", text: name.slice(0, 1) });
}

function drawYou() {
  const me = myself();
  fill($("you"), [state.me, state.scene.people], () => {
    const select = el(
      "select",
      { id: "act-as", data: { focus: "act-as" }, on: { change: () => ask("be", { person: select.value }) } },
      ...state.scene.people.map((other) =>
        el("option", { value: other.id, selected: other.id === state.me, text: `${other.name}, ${other.part}${inTabs(other)}` }),
      ),
    );
    return [el("label", { for: "act-as", text: "You are" }), select, el("p", { class: "about", text: `${me?.about ?? ""}.` })];
  });
}

const inTabs = (other) => (other.id !== state.me && other.tabs ? " (in another tab)" : "");

function drawBar() {
  const channel = current();
  if (!channel && state.scene) {
    choose(state.scene.guilds[0].channels[0].id);
    return;
  }
  fill($("channel-name"), [channel.kind, channel.name], () => [icon(channel.kind), ` ${channel.name}`]);
  document.title = `${channel.name} · The rehearsal room`;
}

function drawBot() {
  const { bot } = state.scene;
  let words = "is ready";
  if (bot.ended) words = "has ended by itself. Restart it under Faults";
  else if (!bot.online) words = "is logging in …";
  else if (bot.speaking_in.length) words = `speaks in ${bot.speaking_in.join(" and ")}`;
  else if (bot.thinking) words = "is making speech …";
  else if (bot.channels.length) words = `is in ${bot.channels.join(" and ")}`;
  const busy = bot.speaking_in.length ? "speaking" : bot.online && !bot.ended ? "online" : "away";
  const text = `${bot.name} ${words}`;
  if ($("bot-state").textContent !== text) $("bot-state").textContent = text;
  $("bot-state").dataset.state = busy;
}

export function startSidebar() {
  on("scene call channel messages", () => {
    if (!state.scene) return;
    drawBar();
    drawPlaces();
    drawYou();
    drawBot();
  });
  const drawer = (open) => {
    $("room").classList.toggle("side-open", open);
    $("side-open").setAttribute("aria-expanded", open);
    if (open) $("side").querySelector(".channel.here, .channel")?.focus();
  };
  $("side-open").addEventListener("click", () => drawer(true));
  $("side-close").addEventListener("click", () => {
    drawer(false);
    $("side-open").focus();
  });
  on("channel", () => drawer(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && $("room").classList.contains("side-open")) drawer(false);
  });
}
