// What to do with a message: the bot's own commands for messages, and the app's.

import { ask } from "/static/js/connection.js";
import { $, el } from "/static/js/dom.js";
import { current, state, tell } from "/static/js/store.js";

let open = null;

export async function openMenu(message, anchor, at = null) {
  closeMenu();
  if (!message) return;
  const { menus } = await ask("commands", { channel: message.channel }).catch(() => ({ menus: [] }));
  const menu = el("div", { class: "menu", role: "menu", "aria-label": "What to do with this message" });
  const items = [
    ...menus.map((name) => item(name, () => act("menu", { message: message.id, name }))),
    item("Reply", () => reply(message)),
    message.content ? item("Copy text", () => copy(message.content)) : null,
    item("Copy message link", () => copy(linkTo(message))),
    message.author.id === state.me ? item("Delete message", () => act("delete", { message: message.id })) : null,
  ].filter(Boolean);
  if (menus.length) menu.append(el("p", { class: "menu-caption", text: "Apps · " + state.scene.bot.name, "aria-hidden": "true" }));
  items.forEach((node, index) => {
    if (index === menus.length && menus.length) menu.append(el("hr", { role: "separator" }));
    menu.append(node);
  });
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
