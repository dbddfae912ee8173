// Keys of one letter, as `?` lists them. They can be switched off (settings); Ctrl K is the palette's own.
import { clear, pick } from "./list.js";
import { openMenu, panel, peek, shut } from "./rows.js";

const TYPING = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
const WAIT = 1500; // milliseconds in which `g` waits for its second letter

let going = 0;

const rows = () => [...document.querySelectorAll("#table tbody tr")];
const current = () => document.querySelector("#table tr.at");

function step(by) {
  const every = rows();
  if (!every.length) return;
  const now = every.indexOf(current());
  const next = every[Math.min(Math.max(now + by, 0), every.length - 1)];
  for (const row of every) row.classList.toggle("at", row === next);
  next.querySelector("th a")?.focus();
  if (panel() && next.dataset.id) peek(next.dataset.id);
}

// The row that is walked to, or whose link has the focus.
const here = () => current() ?? document.activeElement?.closest?.("#table tbody tr");

function look() {
  const id = here()?.dataset.id;
  if (!id) return;
  if (panel()?.dataset.id === id) shut();
  else peek(id);
}

function select(range) {
  const box = current()?.querySelector(".pick-row");
  if (!box) return;
  box.checked = range || !box.checked;
  pick(box, range);
}

// Of a list's row, its menu; of a thing's page, the first of its own verbs.
function verbs() {
  const button = here()?.querySelector(".row-menu");
  if (button) openMenu(button);
  else document.querySelector(".head .verbs :is(a, button)")?.focus();
}

const ACTS = {
  "/": () => document.querySelector("main input[type=search]")?.focus(),
  c: () => document.getElementById("create")?.click(),
  j: () => step(1),
  k: () => step(-1),
  x: () => select(false),
  X: () => select(true),
  ".": verbs,
  " ": look,
  "?": () => document.getElementById("keys-dialog")?.showModal(),
  g: () => {
    going = Date.now();
  },
};

function go(key) {
  going = 0;
  document.querySelector(`.side [data-key="${CSS.escape(key)}"]`)?.click();
}

document.addEventListener("keydown", (event) => {
  if (document.body.dataset.keys !== "on" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]") || event.target.closest?.(TYPING)) return;
  if (event.key === "Escape") {
    if (!document.querySelector("#row-menu:popover-open") && !shut()) clear();
    return;
  }
  if (event.target.closest?.("#row-menu")) return;
  if (event.key === " " && event.target.closest?.("button, summary, input, #peek")) return; // presses it, scrolls it
  if (event.key === " " && !here()?.dataset.id) return; // scrolls the page
  if (Date.now() - going < WAIT) {
    event.preventDefault();
    go(event.key);
    return;
  }
  const act = ACTS[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});
