// Lists: selecting rows, and the bulk bar that says how many. The table is swapped by filters, so all is delegated.

let last = null;

export const boxes = () => [...document.querySelectorAll("#table .pick-row")];

export function tell() {
  const bar = document.getElementById("bulk");
  const all = document.getElementById("pick-all");
  if (!bar || !all) return;
  const every = boxes();
  const count = every.filter((box) => box.checked).length;
  all.hidden = false;
  all.checked = count > 0 && count === every.length;
  all.indeterminate = count > 0 && count < every.length;
  const match = document.getElementById("match-all");
  const matching = Boolean(match?.checked);
  bar.classList.toggle("on", count > 0 || matching); // a toggle by `undefined` would flip it
  document.getElementById("bulk-count").textContent = matching ? "All that match" : `${count} selected`;
  for (const button of bar.querySelectorAll("button[name=verb]")) {
    const able = every.filter((box) => box.checked && can(box, button.value)).length;
    button.querySelector(".n").textContent = matching ? "" : able;
    button.toggleAttribute("aria-disabled", false);
    if (!matching && !able) button.setAttribute("aria-disabled", "true");
  }
}

// Which verbs a row is in the state for, as the server said with it.
const can = (box, verb) => (box.closest("tr").dataset.can ?? verb).split(" ").includes(verb);

export function clear() {
  const some = boxes().filter((box) => box.checked);
  for (const box of some) box.checked = false;
  const match = document.getElementById("match-all");
  if (match) match.checked = false;
  tell();
  return some.length > 0;
}

// With Shift: everything from the box before to this one.
export function pick(box, range) {
  const match = document.getElementById("match-all");
  if (match && !box.checked) match.checked = false;
  const every = boxes();
  const [from, to] = [every.indexOf(last), every.indexOf(box)].sort((a, b) => a - b);
  if (range && from >= 0) for (const one of every.slice(from, to + 1)) one.checked = box.checked;
  last = box;
  tell();
}

document.addEventListener("click", (event) => {
  if (event.target.matches?.(".pick-row")) pick(event.target, event.shiftKey);
  if (event.target.id === "match-all") {
    for (const box of boxes()) box.checked = event.target.checked;
    tell();
  }
  if (event.target.id === "pick-all") {
    for (const box of boxes()) box.checked = event.target.checked;
    tell();
  }
});

// What filters have made of the address goes with the view that is saved, and with the columns that are chosen.
function follow() {
  tell();
  const query = new URLSearchParams(location.search);
  for (const gone of ["after", "before"]) query.delete(gone);
  const kept = document.querySelector("[data-now]");
  if (kept) kept.value = query.toString();
}
document.addEventListener("htmx:after:swap", follow);
document.addEventListener("htmx:after:history:update", follow);
document.addEventListener("toggle", (event) => event.target.id === "save-view" && follow(), true);
addEventListener("pageshow", tell);
tell();

// How many each option of a filter would leave: asked for when one is about to open it, and again when the list is another.
async function count(select) {
  const query = new URLSearchParams(new FormData(select.form));
  query.set("facet", select.name);
  const address = `${select.form.action}?${query}`;
  if (select.dataset.counted === address) return;
  select.dataset.counted = address;
  const answer = await fetch(address);
  if (!answer.ok) return;
  const numbers = await answer.json();
  select.style.inlineSize = `${select.offsetWidth}px`; // a number moves nothing
  for (const option of select.options) {
    option.dataset.label ??= option.textContent;
    const number = numbers[option.value];
    option.textContent = number === undefined ? option.dataset.label : `${option.dataset.label} (${number})`;
  }
}
for (const event of ["focusin", "pointerover"]) {
  document.addEventListener(event, ({ target }) => target.matches?.(".filters select") && count(target));
}
