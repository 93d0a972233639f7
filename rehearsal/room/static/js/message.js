// One message, as people see it.

import { ask } from "/static/js/connection.js";
import { components } from "/static/js/components.js";
import { clock, el, size } from "/static/js/dom.js";
import { bubble } from "/static/js/bubble.js";
import { icon } from "/static/js/icons.js";
import { inline, markdown } from "/static/js/markdown.js";
import { openMenu, openPersonMenu } from "/static/js/menu.js";
import { avatar } from "/static/js/sidebar.js";
import { attemptFor, state } from "/static/js/store.js";

export function messageNode(message, { joined = false, before = null } = {}) {
  const attempt = attemptFor(message.id);
  const node = el(
    "article",
    {
      class: classesOf(message, joined),
      tabindex: "-1",
      data: { id: message.id },
      "aria-label": `${message.author.name}, ${clock(message.at)}`,
      on: {
        contextmenu: (event) => {
          if (getSelection()?.toString()) return;
          event.preventDefault();
          openMenu(message, node, { x: event.clientX, y: event.clientY });
        },
      },
    },
    message.reply ? el("p", { class: "reply-to" }, icon("reply"), ` ${message.reply.author} `, el("span", {}, ...inline(message.reply.excerpt))) : null,
    message.used ? el("p", { class: "used" }, `${message.used.by} used `, el("b", { text: message.used.name })) : null,
    message.pressed ? el("p", { class: "used" }, `${message.pressed} pressed a button`) : null,
    el("div", { class: "head" }, joined ? null : avatar(message.author), nameOf(message, joined), message.author.bot ? el("span", { class: "tag", text: "bot" }) : null, el("time", { text: clock(message.at) })),
    body(message, attempt, before),
    message.ephemeral ? ephemeralLine(message) : null,
    attempt ? times(attempt) : null,
    menuButton(message),
  );
  return node;
}

// The name opens what can be done with a person; a message right below another of theirs repeats no name.
function nameOf({ author, channel }, joined) {
  if (joined) return el("b", { text: author.name });
  return el("button", {
    type: "button",
    class: "who",
    "aria-haspopup": "menu",
    "aria-label": `What to do with ${author.name}`,
    text: author.name,
    on: {
      click: ({ currentTarget }) => openPersonMenu(author, channel, currentTarget),
      contextmenu: (event) => {
        event.preventDefault();
        event.stopPropagation();
        openPersonMenu(author, channel, event.currentTarget, { x: event.clientX, y: event.clientY });
      },
    },
  });
}

function classesOf(message, joined) {
  const names = ["message", message.ephemeral && "ephemeral", message.author.bot && "from-bot", joined && "joined"];
  return names.filter(Boolean).join(" ");
}

function body(message, attempt, before) {
  if (attempt?.failure) return el("p", { class: "failure" }, icon("warning"), ` ${attempt.failure}`);
  if (message.thinking) return el("p", { class: "thinking" }, el("span", { class: "dots", "aria-hidden": "true" }), `${message.author.name} is thinking …`);
  return el(
    "div",
    { class: "body" },
    message.content ? el("div", { class: "text" }, ...markdown(message.content)) : null,
    message.edited ? el("span", { class: "edited", text: " (edited)" }) : null,
    ...message.embeds.map(embed),
    ...message.files.map((file) => kept(before, file) ?? fileNode(file, message)),
    message.components.length ? components(message) : null,
  );
}

// A file that was shown before keeps its player, so that an edit does not stop what is playing.
function kept(before, file) {
  return before?.querySelector(`.file[data-file="${file.id}"]`) ?? null;
}

function fileNode(file, message) {
  const holder = el("div", { class: "file", data: { file: file.id } });
  if (message.voice_message) holder.append(bubble(file));
  else if (file.type.startsWith("audio/")) {
    holder.append(
      el("div", { class: "file-head" }, el("a", { href: file.url, download: file.name, text: file.name }), el("span", { class: "hint", text: size(file.size) })),
      bubble(file, file.name),
    );
  } else {
    holder.append(el("div", { class: "file-head" }, el("a", { href: file.url, download: file.name, text: file.name }), el("span", { class: "hint", text: size(file.size) })));
  }
  if (file.description) holder.append(el("p", { class: "hint", text: file.description }));
  return holder;
}

function embed(data) {
  const node = el("div", { class: "embed" });
  if (data.color) node.style.setProperty("--edge", `#${data.color.toString(16).padStart(6, "0")}`);
  const add = (name, text, tag = "p") => text && node.append(el(tag, { class: name }, ...inline(text)));
  add("embed-author", data.author?.name);
  add("embed-title", data.title);
  if (data.description) node.append(el("div", { class: "text" }, ...markdown(data.description)));
  if (data.fields?.length) {
    node.append(el("dl", {}, ...data.fields.flatMap((field) => [el("dt", {}, ...inline(field.name)), el("dd", {}, ...inline(field.value))])));
  }
  add("embed-footer", data.footer?.text);
  return node;
}

function ephemeralLine(message) {
  return el(
    "p",
    { class: "only-you" },
    "Only you can see this · ",
    el("button", { type: "button", class: "link", text: "Dismiss message", on: { click: () => ask("delete", { message: message.id }) } }),
  );
}

export const ms = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`);

const behind = ({ behind_others: waited }) => (waited > 0.1 ? ` (${ms(waited)} of it behind others)` : "");

export function timesOf(attempt) {
  return [
    attempt.acknowledged_after !== null && `acknowledged ${ms(attempt.acknowledged_after)}`,
    attempt.first_sound_after !== null && `first sound ${ms(attempt.first_sound_after)}${behind(attempt)}`,
    attempt.done_after !== null && `done ${ms(attempt.done_after)}`,
  ].filter(Boolean);
}

function times(attempt) {
  return el("p", { class: "times", text: timesOf(attempt).join(" · ") });
}

function menuButton(message) {
  const button = el("button", {
    type: "button",
    class: "more",
    "aria-haspopup": "menu",
    "aria-label": `What to do with the message of ${message.author.name}`,
    on: { click: () => openMenu(state.messages.get(message.id) ?? message, button) },
  }, icon("more"));
  return button;
}
