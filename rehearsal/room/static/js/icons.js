// Line drawings, because fonts differ in the signs they have.

import { svg } from "/static/js/dom.js";

const PATHS = {
  text: "M9 4 7 20M17 4l-2 16M4 9h16M3 15h16",
  voice: "M4 10v4h4l5 4V6L8 10zM16.500 9a4 4 0 0 1 0 6M19 6.500a8 8 0 0 1 0 11",
  stage: "M12 13a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM5 20c.5-4 3-6 7-6s6.500 2 7 6",
  dm: "M4 5h16v11H9l-5 4z",
  add: "M12 5v14M5 12h14",
  microphone: "M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM5.500 11.500a6.500 6.500 0 0 0 13 0M12 18v3",
  locked: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  unlocked: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 6.800-1.200",
  close: "M6 6l12 12M18 6 6 18",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  menu: "M4 7h16M4 12h16M4 17h16",
  play: "M8 5.500v13l10.500-6.500z",
  pause: "M8 5.500v13M16 5.500v13",
  warning: "M12 4 2.500 20h19zM12 10v4.500M12 17.300v.01",
  reply: "M5 20v-6a4 4 0 0 1 4-4h10M15 6l4 4-4 4",
};

export function icon(name) {
  const path = svg("path", { d: PATHS[name] });
  return svg("svg", { viewBox: "0 0 24 24", class: `icon icon-${name}`, "aria-hidden": "true", focusable: "false" }, path);
}
