// A slash command being filled in: one field for each option, optional ones when asked for.

import { ask } from "/static/js/connection.js";
import { $, el } from "/static/js/dom.js";
import { icon } from "/static/js/icons.js";
import { fieldFor } from "/static/js/fields.js";
import { state } from "/static/js/store.js";

export class CommandForm {
  #isSending = false;

  constructor(command, { done, cancelled, failed }) {
    this.command = command;
    this.fields = new Map();
    this.done = done;
    this.cancelled = cancelled;
    this.failed = failed;
    this.rows = el("div", { class: "options" });
    this.more = el("div", { class: "more-options", role: "group", "aria-label": "Options you may add" });
    this.node = el(
      "div",
      { class: "command", role: "group", "aria-label": `The command /${command.name}` },
      el(
        "div",
        { class: "command-head" },
        el("b", { text: `/${command.name}` }),
        el("span", { class: "hint", text: command.description }),
        el("button", { type: "button", class: "quiet small", "aria-label": `Put /${command.name} away`, on: { click: cancelled } }, icon("close")),
      ),
      this.rows,
      this.more,
    );
    for (const option of command.options) if (option.required) this.add(option, { quietly: true });
    this.#drawMore();
  }

  add(option, { quietly = false } = {}) {
    if (!this.fields.has(option.name)) {
      const field = fieldFor(option, this);
      this.fields.set(option.name, field);
      this.rows.append(field.node);
      this.#drawMore();
    }
    if (!quietly) this.fields.get(option.name).focus();
    return this.fields.get(option.name);
  }

  drop(option) {
    this.fields.get(option.name)?.node.remove();
    this.fields.delete(option.name);
    this.#drawMore();
    this.focus();
  }

  focus() {
    const first = this.fields.values().next().value;
    if (first) first.focus();
    else $("send").focus(); // Enter sends it, as in Discord
  }

  // Take a dropped file into the first field for files that is empty; returns whether there was one.
  takeFile(file) {
    const options = this.command.options.filter(({ type }) => type === 11);
    const option = options.find(({ name }) => !this.fields.has(name) || this.fields.get(name).isEmpty());
    if (!option) return false;
    this.add(option, { quietly: true }).set(file);
    return true;
  }

  // As in Discord: the name of an option and a colon, typed at the end of a text, go on in that option.
  typed(option, control) {
    const match = /(?:^|\s)([\w-]{1,32}):\s$/.exec(control.value);
    const next = match && this.command.options.find(({ name }) => name === match[1] && name !== option.name);
    if (!next) return;
    control.value = control.value.slice(0, match.index);
    this.add(next);
  }

  // Take a whole line, as it is pasted, or typed before the form was there; returns the field it ends in.
  fill(line) {
    let option = this.command.options[0];
    let field = null;
    let start = 0;
    const begun = new Set([option?.name]);
    const put = (words) => {
      if (!option || !words.trim()) return;
      field = this.add(option, { quietly: true });
      if (!field.takesFile) field.set(words);
    };
    for (const match of line.matchAll(/(?:^|\s)([\w-]{1,32}):(?=\s)/g)) {
      const next = this.command.options.find(({ name }) => name === match[1]);
      if (!next || (begun.has(next.name) && match.index > 0)) continue;
      put(line.slice(start, match.index).trim());
      option = next;
      begun.add(option.name);
      start = match.index + match[0].length + 1;
      field = this.add(option, { quietly: true });
    }
    put(line.slice(start));
    return field;
  }

  async values({ lenient = false } = {}) {
    const found = {};
    for (const [name, field] of this.fields) {
      if (lenient && field.takesFile) continue;
      const value = await field.value();
      if (value !== undefined) found[name] = value;
    }
    return found;
  }

  async send() {
    if (this.#isSending) return; // Enter twice
    this.#isSending = true;
    this.#clear();
    try {
      await ask("slash", { channel: state.channel, command: this.command.name, options: await this.values() });
      this.done();
    } catch (error) {
      this.#refuse(error.message);
    } finally {
      this.#isSending = false;
    }
  }

  #clear() {
    for (const { node } of this.fields.values()) {
      node.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
      node.querySelector(".option-error")?.remove();
    }
  }

  // A sentence that begins with the name of an option stands at that option.
  #refuse(sentence) {
    const [name, ...rest] = sentence.split(": ");
    const option = this.command.options.find((one) => one.name === name);
    if (!option || !rest.length) {
      this.failed(sentence);
      return;
    }
    const field = this.add(option);
    field.node.querySelector("[data-option]")?.setAttribute("aria-invalid", "true");
    field.node.append(el("p", { class: "option-error", role: "alert", text: rest.join(": ") }));
  }

  #drawMore() {
    const left = this.command.options.filter(({ name }) => !this.fields.has(name));
    this.more.hidden = !left.length;
    this.more.replaceChildren(
      ...left.map((option) => el("button", { type: "button", class: "chip", title: option.description, text: `+ ${option.name}`, on: { click: () => this.add(option) } })),
    );
  }
}
