// Discord's markdown, as far as bots write it, to nodes.

import { el, clock } from "/static/js/dom.js";
import { channelOf, nameOf, state } from "/static/js/store.js";

const INLINE = new RegExp(
  [
    "\\\\([^0-9A-Za-z\\s])",                // 1 escaped
    "`([^`\\n]+)`",                         // 2 code
    "\\*\\*([^]+?)\\*\\*",                  // 3 bold
    "__([^]+?)__",                          // 4 underline
    "~~([^]+?)~~",                          // 5 struck
    "\\|\\|([^]+?)\\|\\|",                  // 6 spoiler
    "\\*([^*\\s][^*]*?)\\*",                // 7 italic
    "\\b_([^_\\s][^_]*?)_\\b",              // 8 italic
    "<@!?(\\d+)>",                          // 9 person
    "<#(\\d+)>",                            // 10 channel
    "<t:(-?\\d{1,13})(?::[tTdDfFR])?>",     // 11 time
    "<(?:a)?:(\\w+):\\d+>",                 // 12 emoji
    "<@&(\\d+)>",                           // 13 role
    "(https?:\\/\\/[^\\s<>]+)",             // 14 address
  ].join("|"),
  "g",
);

export function markdown(text) {
  const nodes = [];
  const fences = text.split(/```(?:\w*\n)?([^]*?)```/);
  fences.forEach((piece, index) => {
    if (index % 2) nodes.push(el("pre", {}, el("code", { text: piece })));
    else nodes.push(...lines(piece));
  });
  return nodes;
}

function lines(text) {
  const nodes = [];
  text.split("\n").forEach((line, index) => {
    const quote = /^> ?(.*)$/.exec(line);
    const heading = /^(#{1,3}) (.+)$/.exec(line);
    const small = /^-# (.+)$/.exec(line);
    const item = /^\s*[-*] (.+)$/.exec(line);
    if (quote) nodes.push(el("blockquote", {}, ...inline(quote[1])));
    else if (heading) nodes.push(el("p", { class: `said-${heading[1].length}` }, ...inline(heading[2])));
    else if (small) nodes.push(el("p", { class: "subtext" }, ...inline(small[1])));
    else if (item) {
      if (nodes.at(-1)?.nodeName !== "UL") nodes.push(el("ul", { class: "listed" }));
      nodes.at(-1).append(el("li", {}, ...inline(item[1])));
    } else {
      if (index && nodes.at(-1)?.nodeName !== "UL" && nodes.at(-1)?.nodeName !== "BLOCKQUOTE" && nodes.at(-1)?.nodeName !== "P") nodes.push(el("br"));
      nodes.push(...inline(line));
    }
  });
  return nodes;
}

export function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > end) nodes.push(document.createTextNode(text.slice(end, match.index)));
    nodes.push(node(match));
    end = match.index + match[0].length;
  }
  if (end < text.length) nodes.push(document.createTextNode(text.slice(end)));
  return nodes;
}

function node(match) {
  const [whole, escaped, code, bold, under, struck, hidden, italic, italic2, member, channel, time, emoji, role, link] = match;
  if (escaped) return document.createTextNode(escaped);
  if (code) return el("code", { text: code });
  if (bold) return el("strong", {}, ...inline(bold));
  if (under) return el("u", {}, ...inline(under));
  if (struck) return el("s", {}, ...inline(struck));
  if (hidden) return el("span", { class: "spoiler", tabindex: "0" }, ...inline(hidden));
  if (italic || italic2) return el("em", {}, ...inline(italic || italic2));
  if (member) return el("span", { class: "mention", text: `@${nameOf(member) ?? "somebody"}` });
  if (channel) return el("span", { class: "mention", text: `#${channelOf(channel)?.name ?? "a channel"}` });
  if (time) return el("time", { text: `${new Date(time * 1000).toLocaleDateString()} ${clock(Number(time))}` });
  if (emoji) return document.createTextNode(`:${emoji}:`);
  if (role) return el("span", { class: "mention", text: `@${roleName(role)}` });
  if (link) return el("a", { href: link, rel: "noreferrer noopener", target: "_blank", text: link });
  return document.createTextNode(whole);
}

function roleName(id) {
  const roles = state.scene?.guilds.flatMap((guild) => guild.roles) ?? [];
  return roles.find((role) => role.id === id)?.name ?? "a role";
}
