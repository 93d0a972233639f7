// The one websocket of this tab: JSON both ways, sound from there.

import { forget, state, tell } from "/static/js/store.js";

let socket = null;
let asked = 0;
const waiting = new Map();
let onSound = () => {};

export const whenSound = (listener) => { onSound = listener; };

export function connect() {
  const wanted = new URLSearchParams(location.search).get("as") ?? sessionStorage.getItem("person") ?? "";
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/socket?as=${encodeURIComponent(wanted)}`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => tell("online", true);
  socket.onmessage = (event) => (typeof event.data === "string" ? receive(JSON.parse(event.data)) : onSound(event.data));
  socket.onclose = () => {
    for (const { fail } of waiting.values()) fail(new Error("The rehearsal has ended."));
    waiting.clear();
    tell("online", false);
    setTimeout(connect, 1000);
  };
}

// Ask the room to do something; resolves with its answer, rejects with its sentence.
export function ask(what, details = {}) {
  return new Promise((done, fail) => {
    if (socket?.readyState !== WebSocket.OPEN) {
      fail(new Error("The rehearsal has ended."));
      return;
    }
    asked += 1;
    waiting.set(asked, { done, fail });
    socket.send(JSON.stringify({ ...details, do: what, id: asked }));
  });
}

export async function upload(file, name = file.name) {
  const answer = await fetch(`/upload?name=${encodeURIComponent(name)}`, { method: "POST", body: file });
  if (answer.status === 413) throw new Error("Your files are too powerful. Max file size: 10 MB.");
  if (!answer.ok) throw new Error("The file could not be taken.");
  return (await answer.json()).file;
}

function receive(message) {
  const known = handlers[message.type];
  if (known) known(message);
}

function become(message) {
  forget();
  state.me = message.person;
  sessionStorage.setItem("person", message.person);
  state.entries = message.entries;
  for (const attempt of message.attempts) state.attempts.set(attempt.number, attempt);
  tell("hello");
}

function takeMessages({ new: news, gone }) {
  const known = state.messages.size > 0;
  for (const id of gone) state.messages.delete(id);
  for (const message of news) {
    const before = state.messages.get(message.id);
    const files = before ? message.files.map((file) => before.files.find(({ id }) => id === file.id) ?? file) : message.files;
    state.messages.set(message.id, { ...message, files });
    if (known && !before && message.channel !== state.channel && message.author.id !== state.me) {
      state.unread.add(message.channel);
    }
  }
  tell("messages");
}

const handlers = {
  hello: become,
  messages: takeMessages,
  scene: (message) => { state.scene = message.scene; tell("scene"); },
  switches: (message) => { state.switches = message.switches; tell("switches"); },
  call: (message) => { state.call = message.call; tell("call"); },
  commands: (message) => { state.commands = message.commands; tell("commands"); },
  attempt: ({ attempt }) => { state.attempts.set(attempt.number, attempt); tell("attempts", attempt); },
  entry: ({ entry }) => { state.entries = [...state.entries.slice(-399), entry]; tell("entries", entry); },
  reply: ({ to, value, error }) => {
    const asker = waiting.get(to);
    waiting.delete(to);
    if (error === undefined) asker?.done(value);
    else asker?.fail(new Error(error));
  },
};
