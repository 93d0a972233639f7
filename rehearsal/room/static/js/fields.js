// One field for each kind of option of a command. A field has `node`, `value()`, `focus()`, `set(value)`.

import { ask, upload } from "/static/js/connection.js";
import { el, newId, size } from "/static/js/dom.js";
import { icon } from "/static/js/icons.js";
import { current, state } from "/static/js/store.js";
import { Suggestions } from "/static/js/suggest.js";
import { recordings } from "/static/js/recordings.js";

const STRING = 3, INTEGER = 4, BOOLEAN = 5, USER = 6, CHANNEL = 7, ROLE = 8, MENTIONABLE = 9, NUMBER = 10, ATTACHMENT = 11;

export function fieldFor(option, form) {
  if (option.type === ATTACHMENT) return attachment(option, form);
  if (option.choices?.length) return choice(option, option.choices.map(({ name, value }) => [value, name]), form);
  if (option.type === BOOLEAN) return choice(option, [[true, "True"], [false, "False"]], form);
  if ([USER, CHANNEL, ROLE, MENTIONABLE].includes(option.type)) return choice(option, things(option.type), form);
  return text(option, form);
}

function things(kind) {
  const guild = current()?.guild;
  const people = state.scene.people.map(({ id, name }) => [id, name]);
  const roles = guild?.roles.map(({ id, name }) => [id, `@${name}`]) ?? [];
  if (kind === USER) return people;
  if (kind === ROLE) return roles;
  return kind === CHANNEL ? (guild?.channels ?? []).map(({ id, name }) => [id, `#${name}`]) : [...people, ...roles];
}

function frame(option, control, form, ...more) {
  const about = newId("about");
  control.setAttribute("aria-describedby", about);
  control.id ||= newId("option");
  control.dataset.option = option.name;
  const remove = option.required
    ? null
    : el("button", { type: "button", class: "quiet small", "aria-label": `Remove ${option.name}`, on: { click: () => form.drop(option) } }, icon("close"));
  return el(
    "div",
    { class: "option", data: { name: option.name } },
    el("label", { for: control.id, text: option.name }),
    el("div", { class: "control" }, control, ...more),
    remove,
    el("p", { class: "hint", id: about, text: `${option.description}${bounds(option)}` }),
  );
}

function bounds(option) {
  const parts = [];
  if (option.required) parts.push("required");
  if (option.max_length) parts.push(`at most ${option.max_length} characters`);
  if (option.min_value !== undefined && option.max_value !== undefined) parts.push(`${option.min_value} to ${option.max_value}`);
  return parts.length ? ` (${parts.join(", ")})` : "";
}

function choice(option, pairs, form) {
  const control = el("select", {}, ...pairs.map(([, name], index) => el("option", { value: String(index), text: name })));
  return {
    node: frame(option, control, form),
    value: () => pairs[Number(control.value)]?.[0],
    set: (value) => { control.value = String(Math.max(0, pairs.findIndex(([one, shown]) => one === value || shown === String(value).trim()))); },
    focus: () => control.focus(),
  };
}

function text(option, form) {
  const numeric = option.type === INTEGER || option.type === NUMBER;
  const control = el("textarea", { rows: "1", inputmode: numeric ? "decimal" : null, spellcheck: !numeric });
  const proposals = option.autocomplete ? completion(option, control, form) : null;
  control.addEventListener("keydown", (event) => {
    if (proposals?.list.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      form.send();
    }
  });
  control.addEventListener("input", () => {
    grow(control);
    form.typed(option, control);
    proposals?.ask();
  });
  if (proposals) control.addEventListener("focus", proposals.ask);
  const value = () => {
    const typed = proposals?.chosen() ?? control.value.trim();
    if (!numeric || typeof typed === "number") return typed === "" ? undefined : typed;
    const number = Number(typed);
    return typed === "" ? undefined : Number.isNaN(number) ? typed : number;
  };
  return {
    node: frame(option, control, form, proposals?.list.node),
    value,
    set: (given) => {
      control.value = given;
      grow(control);
    },
    focus: () => control.focus(),
    control,
  };
}

export function grow(control) {
  control.style.height = "auto";
  control.style.height = `${Math.min(control.scrollHeight, 160)}px`;
}

// What the bot itself proposes while a member types.
function completion(option, control, form) {
  const list = new Suggestions(control, `Proposals for ${option.name}`);
  let taken = null;
  let round = 0;
  const askBot = async () => {
    if (taken && control.value === taken.title) return;
    taken = null;
    round += 1;
    const mine = round;
    await new Promise((done) => setTimeout(done, 150));
    if (mine !== round || !control.isConnected) return;
    const details = { channel: state.channel, command: form.command.name, focused: option.name, typed: control.value, options: await form.values({ lenient: true }) };
    const found = await ask("complete", details).catch((error) => ({ error }));
    if (mine !== round || document.activeElement !== control) return;
    if (found.error) {
      list.show([{ title: found.error.message, take: () => {} }], { mark: false });
      return;
    }
    list.show(found.map(({ name, value }) => ({ title: name, take: () => choose({ title: name, value }) })));
  };
  const choose = (item) => {
    taken = item;
    control.value = item.title;
  };
  return { list, ask: askBot, chosen: () => (taken && control.value === taken.title ? taken.value : null) };
}

function attachment(option, form) {
  const picker = el("input", { type: "file", class: "pick-input", id: newId("file") });
  const pick = el("label", { class: "pick", for: picker.id, text: "Choose a file" });
  const told = el("span", { class: "hint told-file", text: "Drop a file here, or" });
  const ours = el("span", { class: "ours" });
  let file = null;
  const set = (given) => {
    file = given;
    told.textContent = given ? `${given.name}, ${size(given.size)}` : "Drop a file here, or";
    pick.textContent = given ? "Choose another" : "Choose a file";
    node.classList.toggle("filled", Boolean(given));
  };
  picker.addEventListener("change", () => set(picker.files[0] ?? null));
  recordings().then((all) => {
    ours.append("or take one of ours: ", ...all.map((recording) => el("button", { type: "button", class: "chip", text: recording.name, on: { click: async () => set(await recording.file()) } })));
  });
  const node = frame(option, picker, form, pick, told, ours);
  node.classList.add("drop");
  return {
    node,
    set,
    isEmpty: () => !file,
    value: async () => (file ? upload(file) : undefined),
    focus: () => picker.focus(),
    takesFile: true,
  };
}
