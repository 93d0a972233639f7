// What the page knows, and who wants to hear when it changes.

export const state = {
  me: null,
  scene: null,
  call: null,
  switches: [],
  commands: null,
  messages: new Map(),
  attempts: new Map(),
  entries: [],
  channel: sessionStorage.getItem("channel"),
  unread: new Set(),
  replyTo: null,
};

const listeners = new Map();

export function on(what, listener) {
  for (const name of what.split(" ")) {
    if (!listeners.has(name)) listeners.set(name, []);
    listeners.get(name).push(listener);
  }
}

export function tell(what, detail) {
  for (const listener of listeners.get(what) ?? []) listener(detail);
}

export function forget() {
  state.messages.clear();
  state.attempts.clear();
  state.unread.clear();
  state.entries = [];
}

export function allChannels() {
  if (!state.scene) return [];
  const inside = state.scene.guilds.flatMap((guild) => guild.channels.map((channel) => ({ ...channel, guild })));
  const dm = { id: state.scene.dm, name: state.scene.bot.name, kind: "dm", can_write: true, occupants: [], guild: null };
  return [...inside, dm];
}

export const channelOf = (id) => allChannels().find((channel) => channel.id === id) ?? null;
export const current = () => channelOf(state.channel);
export const person = (id) => state.scene?.people.find((other) => other.id === id) ?? null;
export const myself = () => person(state.me);

export function choose(id) {
  state.channel = id;
  state.replyTo = null;
  state.unread.delete(id);
  sessionStorage.setItem("channel", id);
  tell("channel");
}

export function nameOf(id) {
  if (id === state.scene?.bot.id) return state.scene.bot.name;
  return person(id)?.name ?? null;
}

export function messagesIn(channel) {
  const found = [...state.messages.values()].filter((message) => message.channel === channel);
  return found.sort((one, other) => (BigInt(one.id) < BigInt(other.id) ? -1 : 1));
}

export function attemptFor(messageId) {
  return [...state.attempts.values()].reverse().find((attempt) => attempt.message === messageId) ?? null;
}
