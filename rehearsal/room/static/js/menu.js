// What to do with a message or a person: the bot's own commands for them, and the app's.

import { ask } from "/static/js/connection.js";
import { $, el } from "/static/js/dom.js";
import { current, state, tell } from "/static/js/store.js";

let open = null;

export async function openMenu(message, anchor, at = null) {
  closeMenu();
  if (!message) return;
  const { menus } = await offered(message.channel);
  const apps = menus.map((name) => item(name, () => act("menu", { message: message.id, name })));
  const own = [
    item("Reply", () => reply(message)),
    message.content ? item("Copy text", () => copy(message.content)) : null,
    item("Copy message link", () => copy(linkTo(message))),
    mayDelete(message) ? item("Delete message", () => act("delete", { message: message.id })) : null,
  ];
  show("What to do with this message", apps, own.filter(Boolean), anchor, at);
}

const mayDelete = ({ author, ephemeral }) => author.id === state.me || (current()?.can_delete && !ephemeral);

// `who` has `id`, `name` and `bot`; the bot's commands for people are those of `channel`.
export async function openPersonMenu(who, channel, anchor, at = null) {
  closeMenu();
  const { person_menus: menus } = await offered(channel);
  const apps = menus.map((name) => item(name, () => act("person menu", { channel, person: who.id, name })));
  const own = [
    !who.bot && who.id !== state.me ? item(`Be ${who.name} in this tab`, () => act("be", { person: who.id })) : null,
    item("Copy mention", () => copy(`<@${who.id}>`)),
    item("Copy user ID", () => copy(who.id)),
  ];
  show(`What to do with ${who.name}`, apps, own.filter(Boolean), anchor, at);
}

const offered = (channel) => ask("commands", { channel }).catch(() => ({ menus: [], person_menus: [] }));

function show(label, apps, own, anchor, at) {
  const menu = el("div", { class: "menu", role: "menu", "aria-label": label });
  if (apps.length) menu.append(el("p", { class: "menu-caption", text: "Apps · " + state.scene.bot.name, "aria-hidden": "true" }), ...apps, el("hr", { role: "separator" }));
  menu.append(...own);
  const items = [...apps, ...own];
  document.body.append(menu);
  open = { menu, anchor };
  put(menu, anchor, at);
  menu.addEventListener("keydown", (event) => keys(event, items));
  items[0].focus();
  setTimeout(() => document.addEventListener("pointerdown", outside));
}

function item(name, run) {
  return el("button", {
    type: "button",
    role: "menuitem",
    tabindex: "-1",
    text: name,
    on: { click: () => { closeMenu(); run(); } },
  });
}

function keys(event, items) {
  const index = items.indexOf(document.activeElement);
  const go = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: items.length - 1 }[event.key];
  if (go !== undefined) {
    event.preventDefault();
    items[(go + items.length) % items.length].focus();
  } else if (event.key === "Escape" || event.key === "Tab") {
    event.preventDefault();
    closeMenu();
  }
}

function outside(event) {
  if (open && !open.menu.contains(event.target)) closeMenu();
}

export function closeMenu() {
  document.removeEventListener("pointerdown", outside);
  if (!open) return;
  const { menu, anchor } = open;
  open = null;
  menu.remove();
  if (anchor.isConnected) anchor.focus();
}

function put(menu, anchor, at) {
  const box = anchor.getBoundingClientRect();
  const x = at?.x ?? box.right - menu.offsetWidth;
  const y = at?.y ?? Math.max(box.top, 8) + 24;
  menu.style.left = `${Math.max(8, Math.min(x, innerWidth - menu.offsetWidth - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(y, innerHeight - menu.offsetHeight - 8))}px`;
}

function act(what, details) {
  ask(what, details).catch((error) => tell("trouble", error.message));
}

function reply(message) {
  state.replyTo = message;
  tell("reply");
  $("line")?.focus();
}

function linkTo(message) {
  return `https://discord.com/channels/${current()?.guild?.id ?? "@me"}/${message.channel}/${message.id}`;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    tell("notice", "Copied.");
  } catch {
    tell("trouble", "The browser does not let this page copy.");
  }
}
