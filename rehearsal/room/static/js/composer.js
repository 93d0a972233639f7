// The command line: plain words are a message, a slash begins a command, files come by dropping.

import { CommandForm } from "/static/js/commandform.js";
import { ask, upload } from "/static/js/connection.js";
import { $, el, size } from "/static/js/dom.js";
import { grow } from "/static/js/fields.js";
import { icon } from "/static/js/icons.js";
import { openRecorder } from "/static/js/record.js";
import { current, on, state } from "/static/js/store.js";
import { Suggestions } from "/static/js/suggest.js";

let line, list, trouble, notice, slot, files, reply;
let form = null;
let attached = [];
let commands = [];
let loadedFor = null;
let loading = null;

// Whoever asks while they are on their way waits for the same answer.
export async function loadCommands() {
  const channel = state.channel;
  const version = JSON.stringify([state.me, channel, state.commands]);
  if (!channel) return commands;
  if (loadedFor !== version) {
    loadedFor = version;
    loading = ask("commands", { channel }).catch(() => ({ slash: [] }));
  }
  const asked = loading;
  const { slash } = await asked;
  if (asked === loading) commands = slash;
  return commands;
}

// Begin `name` with some options filled in, as the first steps do; with `now` it is sent at once.
export async function begin(name, values = {}, { now = false } = {}) {
  const command = (await loadCommands()).find((one) => one.name === name);
  if (!command) {
    say(`There is no command /${name} here.`);
    return;
  }
  start(command, "");
  for (const [key, value] of Object.entries(values)) {
    const option = command.options.find((one) => one.name === key);
    if (option) form.add(option, { quietly: true }).set(value);
  }
  if (now) await form.send();
  else form.focus();
}

function start(command, rest) {
  end();
  form = new CommandForm(command, { done: end, cancelled: () => { end(); line.focus(); }, failed: say });
  slot.replaceChildren(form.node);
  $("composer").classList.add("with-command");
  const begun = form.fill(rest);
  for (const file of attached.splice(0)) if (!form.takeFile(file)) attached.push(file);
  drawFiles();
  line.value = "";
  list.close();
  (begun ?? form).focus();
  begun?.control?.setSelectionRange?.(begun.control.value.length, begun.control.value.length);
}

function end() {
  form = null;
  slot.replaceChildren();
  say("");
  $("composer").classList.remove("with-command");
  if (!matchMedia("(pointer: coarse)").matches) line.focus();
}

function say(words) {
  trouble.textContent = words;
}

async function typed() {
  grow(line);
  say("");
  const text = line.value;
  if (!text.startsWith("/")) {
    list.close();
    return;
  }
  const all = await loadCommands();
  if (line.value !== text) return;
  const wanted = text.slice(1).toLowerCase();
  const whole = all.filter(({ name }) => wanted.startsWith(`${name} `)).sort((one, other) => other.name.length - one.name.length)[0];
  if (whole) {
    start(whole, text.slice(whole.name.length + 2));
    return;
  }
  const fits = all.filter(({ name }) => name.includes(wanted)).sort((one, other) => rank(one, wanted) - rank(other, wanted));
  list.show(fits.map((command) => ({ title: `/${command.name}`, about: command.description, take: () => start(command, "") })));
  if (!fits.length) say(`There is no command like ${text} here.`);
}

const rank = ({ name }, wanted) => (name.startsWith(wanted) ? 0 : 1);

async function send(event) {
  event?.preventDefault();
  if (form) {
    await form.send();
    return;
  }
  const text = line.value.trim();
  if (text.startsWith("/")) {
    const command = commands.find(({ name }) => `/${name}` === text);
    if (command) start(command, "");
    return;
  }
  if (!text && !attached.length) return;
  const [taken, answered] = [attached, state.replyTo];
  refill("", [], null); // at once: who presses Enter twice says it once, and who types on loses nothing
  try {
    const keys = await Promise.all(taken.map((file) => upload(file)));
    await ask("say", { channel: state.channel, text, files: keys, reply_to: answered?.id });
    say("");
  } catch (error) {
    refill([text, line.value].filter(Boolean).join("\n"), [...taken, ...attached], state.replyTo ?? answered);
    say(error.message);
  }
}

function refill(text, given, answered) {
  line.value = text;
  attached = given;
  state.replyTo = answered;
  grow(line);
  drawFiles();
  drawReply();
}

export function takeFiles(given) {
  for (const file of given) if (!form?.takeFile(file)) attached.push(file);
  drawFiles();
  (form ?? line).focus();
}

function drawFiles() {
  files.replaceChildren(
    ...attached.map((file, index) =>
      el(
        "li",
        { class: "chip" },
        `${file.name}, ${size(file.size)} `,
        el("button", { type: "button", class: "quiet small", "aria-label": `Remove ${file.name}`, on: { click: () => { attached.splice(index, 1); drawFiles(); } } }, icon("close")),
      ),
    ),
  );
}

function drawReply() {
  reply.hidden = !state.replyTo;
  if (!state.replyTo) return;
  reply.replaceChildren(
    `Replying to ${state.replyTo.author.name} `,
    el("button", { type: "button", class: "quiet small", "aria-label": "Do not reply", on: { click: () => { state.replyTo = null; drawReply(); } } }, icon("close")),
  );
}

function drawPlace() {
  const channel = current();
  if (!channel) return;
  line.disabled = !channel.can_write;
  line.placeholder = channel.can_write ? innerWidth < 740 ? "Message, or /" : `Write in ${channel.name}, or type / for the bot's commands` : "You cannot write here";
  completeWhatIsTyped();
}

// Who typed before the commands were known is helped now.
async function completeWhatIsTyped() {
  const before = commands;
  if (await loadCommands() !== before && !form && line.value.startsWith("/")) typed();
}

function build() {
  line = el("textarea", { id: "line", rows: "1", "aria-label": "Message, or a command beginning with a slash", spellcheck: true, on: { input: typed, keydown: keys } });
  list = new Suggestions(line, "Commands");
  trouble = el("p", { class: "trouble", role: "alert" });
  notice = el("p", { class: "hidden", role: "status" });
  slot = el("div", { class: "slot" });
  files = el("ul", { class: "attached", "aria-label": "Files to send" });
  reply = el("p", { class: "replying", hidden: true });
  const picker = el("input", { type: "file", multiple: true, hidden: true, tabindex: "-1", "aria-label": "Files to send", on: { change: () => { takeFiles(picker.files); picker.value = ""; } } });
  const tool = (label, sign, click) => el("button", { type: "button", class: "tool round", "aria-label": label, title: label, on: { click } }, icon(sign));
  $("composer").append(
    slot, reply, files, picker, list.node, trouble, notice,
    el("div", { class: "line" }, tool("Add a file", "add", () => picker.click()), line, tool("Record a voice message", "microphone", openRecorder), el("button", { type: "submit", class: "primary", id: "send", text: "Send" })),
  );
  $("composer").addEventListener("submit", send);
}

function keys(event) {
  if (list.key(event)) return;
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
}

function dropping() {
  const over = (on) => document.body.classList.toggle("dropping", on);
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    if (event.dataTransfer?.files.length) takeFiles(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    takeFiles(event.clipboardData.files);
  });
}

export function startComposer() {
  build();
  dropping();
  on("channel hello", () => {
    if (form) end();
    drawReply();
    drawPlace();
  });
  on("scene commands", drawPlace);
  on("reply", drawReply);
  on("trouble", say);
  on("notice", (words) => { notice.textContent = words; });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && form && $("composer").contains(document.activeElement)) {
      end();
      line.focus();
    }
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
    if (event.key === "/" && !typing && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      line.value = "/";
      line.focus();
      typed();
    }
  });
}
