// A form that the bot opens.

import { ask, upload } from "/static/js/connection.js";
import { choicesOf } from "/static/js/components.js";
import { el, newId } from "/static/js/dom.js";
import { markdown } from "/static/js/markdown.js";
import { on, state } from "/static/js/store.js";

const ROW = 1, TEXT_INPUT = 4, TEXT_DISPLAY = 10, LABEL = 18, FILE_UPLOAD = 19, CHECKBOX_GROUP = 22, CHECKBOX = 23;

let shown = null;

function draw() {
  const attempt = [...state.attempts.values()].find(({ modal }) => modal);
  if (attempt?.number === shown?.number) return;
  shown?.dialog.remove();
  shown = null;
  if (attempt) open(attempt);
}

function open(attempt) {
  const { title, data } = attempt.modal;
  const fields = [];
  const rows = data.components.map((component) => row(component, fields));
  const trouble = el("p", { class: "trouble", role: "alert" });
  const submit = el("button", { type: "submit", class: "primary", text: "Submit" });
  const cancel = () => ask("close modal", { attempt: attempt.number });
  const form = el(
    "form",
    { method: "dialog", novalidate: true },
    el("h2", { id: "modal-title", text: title }),
    el("p", { class: "about", text: `This form is shown by ${state.scene.bot.name}.` }),
    ...rows,
    trouble,
    el("div", { class: "row end" }, el("button", { type: "button", class: "tool", text: "Cancel", on: { click: cancel } }), submit),
  );
  const dialog = el("dialog", { class: "sheet", "aria-labelledby": "modal-title" }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.hasAttribute("aria-busy")) return; // Enter twice
    submit.setAttribute("aria-busy", "true");
    try {
      const values = {};
      for (const field of fields) values[field.custom_id] = await field.value();
      await ask("submit", { attempt: attempt.number, values });
    } catch (error) {
      trouble.textContent = error.message;
    }
    submit.removeAttribute("aria-busy");
  });
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    cancel();
  });
  document.body.append(dialog);
  dialog.showModal();
  shown = { number: attempt.number, dialog };
}

function row(component, fields) {
  if (component.type === TEXT_DISPLAY) return el("div", { class: "text" }, ...markdown(component.content));
  if (component.type === LABEL) return labelled(component.component, component.label, component.description, fields);
  if (component.type === ROW) return labelled(component.components[0], component.components[0].label, "", fields);
  return el("p", { class: "hint", text: `(a component of type ${component.type})` });
}

function labelled(data, label, description, fields) {
  const control = controlFor(data, fields);
  control.id = newId("field");
  control.dataset.custom = data.custom_id;
  const about = newId("about");
  if (description) control.setAttribute("aria-describedby", about);
  const optional = data.required === false ? " (optional)" : "";
  return el("div", { class: "field" }, el("label", { for: control.id, text: label + optional }), description ? el("p", { class: "hint", id: about, text: description }) : null, control);
}

function controlFor(data, fields) {
  const add = (value) => fields.push({ custom_id: data.custom_id, value });
  if (data.type === TEXT_INPUT) {
    const control = el(data.style === 2 ? "textarea" : "input", { placeholder: data.placeholder, maxlength: data.max_length, rows: data.style === 2 ? "3" : null });
    control.value = data.value ?? "";
    add(() => control.value);
    return control;
  }
  if (data.type === FILE_UPLOAD) {
    const control = el("input", { type: "file", multiple: (data.max_values ?? 1) > 1 });
    add(async () => ({ files: await Promise.all([...control.files].map((file) => upload(file))) }));
    return control;
  }
  if (data.type === CHECKBOX) {
    const control = el("input", { type: "checkbox", checked: data.default === true });
    add(() => control.checked);
    return control;
  }
  return menu(data, add);
}

// Menus; and groups of circles or boxes, which look like menus here.
function menu(data, add) {
  const most = data.max_values ?? (data.type === CHECKBOX_GROUP ? data.options.length : 1);
  const chosen = new Set((data.options ?? []).filter((option) => option.default).map(({ value }) => value));
  const nothing = most > 1 || (chosen.size && data.required !== false) ? null : el("option", { value: "", text: data.placeholder ?? "Make a selection" });
  const options = choicesOf(data).map(([value, name]) => el("option", { value, text: name, selected: chosen.has(value) }));
  const control = el("select", { multiple: most > 1 || null }, nothing, ...options);
  add(() => [...control.selectedOptions].map(({ value }) => value).filter(Boolean));
  return control;
}

export function startModals() {
  on("attempts hello", draw);
}
