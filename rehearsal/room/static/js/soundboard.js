// The sounds on a server's soundboard, to be listened to.

import { el } from "/static/js/dom.js";
import { tell } from "/static/js/store.js";

const opened = new Set(); // so that a board stays open when its server is drawn anew
const player = new Audio();

export function soundboard(guild) {
  if (!guild.sounds.length) return null;
  return el(
    "details",
    {
      class: "soundboard",
      open: opened.has(guild.id),
      on: { toggle: ({ target }) => (target.open ? opened.add(guild.id) : opened.delete(guild.id)) },
    },
    el("summary", { text: `Soundboard (${guild.sounds.length})`, data: { focus: `sounds-${guild.id}` } }),
    el("ul", {}, ...guild.sounds.map((sound) => el("li", {}, one(sound)))),
  );
}

function one(sound) {
  const text = [sound.emoji, sound.name].filter(Boolean).join(" ");
  return el("button", {
    type: "button",
    class: "tool",
    data: { focus: `sound-${sound.id}` },
    "aria-label": `Play ${text}`,
    text,
    on: { click: () => play(sound) },
  });
}

function play(sound) {
  player.src = sound.url;
  player.volume = sound.volume;
  player.play().catch(() => tell("trouble", "That sound cannot be played."));
}
