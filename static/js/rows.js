// One row of a list: its menu, fetched when it is opened, and the panel beside the list. Both are pages without script.

const main = document.getElementById("main");
let menu = null;
let opener = null;

async function part(address) {
  const answer = await fetch(address, { headers: { "HX-Request": "true" } });
  if (answer.headers.has("HX-Redirect")) {
    location.assign(answer.headers.get("HX-Redirect"));
    return "";
  }
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}

function box() {
  if (menu) return menu;
  menu = document.createElement("div");
  menu.id = "row-menu";
  menu.popover = "auto";
  menu.addEventListener("toggle", (event) => {
    opener?.setAttribute("aria-expanded", String(event.newState === "open"));
  });
  menu.addEventListener("keydown", walk);
  main.append(menu);
  return menu;
}

const lines = () => [...menu.querySelectorAll("a, button")];

function walk(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const every = lines();
  every[(every.indexOf(document.activeElement) + by + every.length) % every.length].focus();
}

// Under its button, or above it where there is no room; at the end edge, mirrored from right to left.
function place(button) {
  const at = button.getBoundingClientRect();
  const size = menu.getBoundingClientRect();
  const rtl = getComputedStyle(document.documentElement).direction === "rtl";
  const left = rtl ? at.left : at.right - size.width;
  const below = at.bottom + 4 + size.height <= innerHeight;
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - size.width - 8))}px`;
  menu.style.top = `${Math.max(8, below ? at.bottom + 4 : at.top - size.height - 4)}px`;
}

export async function openMenu(button) {
  try {
    box().innerHTML = await part(button.href);
  } catch {
    location.assign(button.href); // the page says what is wrong
    return;
  }
  opener = button;
  menu.showPopover();
  place(button);
  menu.querySelector("a, button")?.focus();
}

const follow = () => menu?.matches(":popover-open") && place(opener);
addEventListener("resize", follow);
addEventListener("scroll", follow, { passive: true });

export const panel = () => document.getElementById("peek");

function address(id) {
  const query = new URLSearchParams(location.search);
  query.delete("peek");
  if (id) query.set("peek", id);
  return query.size ? `${location.pathname}?${query}` : location.pathname;
}

let wanted = "";

export async function peek(id) {
  const where = address(id);
  wanted = id;
  try {
    const made = document.createElement("template");
    made.innerHTML = await part(where);
    if (wanted !== id) return; // another row was asked for meanwhile
    const found = made.content.getElementById("peek");
    if (panel()) panel().replaceWith(found);
    else main.append(found);
    history.replaceState(history.state, "", where);
  } catch {
    location.assign(where);
  }
}

export function shut() {
  wanted = "";
  if (!panel()) return false;
  const inside = panel().contains(document.activeElement);
  const row = document.querySelector(`#table tr[data-id="${panel().dataset.id}"] th a`);
  panel().remove();
  history.replaceState(history.state, "", address(null));
  if (inside) row?.focus();
  return true;
}

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || !main) return;
  const button = event.target.closest?.(".row-menu");
  const look = event.target.closest?.("#row-menu [data-peek]");
  if (button) {
    event.preventDefault();
    openMenu(button);
  } else if (look) {
    event.preventDefault();
    menu.hidePopover();
    peek(look.dataset.peek);
  } else if (event.target.closest?.("#peek-close")) {
    event.preventDefault();
    shut();
  }
});
// What is impossible now says why, and does nothing.
document.addEventListener("click", (event) => event.target.closest?.("[aria-disabled=true]") && event.preventDefault(), true);
