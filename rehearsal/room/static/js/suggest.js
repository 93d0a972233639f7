// A list of proposals under a field: arrows choose, Enter or Tab takes, Escape closes.

import { el, newId } from "/static/js/dom.js";

export class Suggestions {
  #field;
  #list;
  #items = [];
  #index = -1;

  constructor(field, label) {
    this.#field = field;
    this.#list = el("ul", { class: "suggestions", role: "listbox", id: newId("suggestions"), "aria-label": label, hidden: true });
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", this.#list.id);
    // Later, for a press on the list comes after it; and who is back by then wants to see it.
    field.addEventListener("blur", () => setTimeout(() => document.activeElement !== field && this.close(), 150));
  }

  get node() {
    return this.#list;
  }

  get open() {
    return !this.#list.hidden;
  }

  // Show `items`: {title, about, take}; nothing closes the list. The first is marked unless `mark` is false.
  show(items, { mark = true } = {}) {
    this.#items = items;
    this.#list.hidden = items.length === 0;
    this.#list.replaceChildren(
      ...items.map((item, index) =>
        el(
          "li",
          {
            role: "option",
            id: `${this.#list.id}-${index}`,
            on: {
              pointerdown: (event) => event.preventDefault(),
              click: () => this.#take(index),
            },
          },
          el("b", { text: item.title }),
          item.about ? el("span", { class: "hint", text: item.about }) : null,
        ),
      ),
    );
    this.#mark(mark && items.length ? 0 : -1);
  }

  close() {
    this.show([]);
  }

  // Handle a key; returns whether it was one of ours.
  key(event) {
    if (!this.open) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#mark((this.#index + step + this.#items.length) % this.#items.length);
    else if (event.key === "Escape") this.close();
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && this.#index >= 0) this.#take(this.#index);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  #mark(index) {
    this.#index = index;
    [...this.#list.children].forEach((node, at) => node.setAttribute("aria-selected", String(at === index)));
    const marked = this.#list.children[index];
    if (marked) {
      this.#field.setAttribute("aria-activedescendant", marked.id);
      marked.scrollIntoView({ block: "nearest" });
    } else this.#field.removeAttribute("aria-activedescendant");
  }

  #take(index) {
    const item = this.#items[index];
    this.close();
    item?.take();
  }
}
