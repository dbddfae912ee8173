// Ctrl K: the search page as a dialog. What is found comes from the server, for this person only.

const palette = document.getElementById("palette");
const input = palette?.querySelector("input");
let at = 0;

const hits = () => [...palette.querySelectorAll(".found a")];

function mark(index) {
  const found = hits();
  if (!found.length) return;
  at = (index + found.length) % found.length;
  found.forEach((hit, place) => {
    hit.id = `hit-${place}`;
    hit.classList.toggle("at", place === at);
  });
  input.setAttribute("aria-activedescendant", `hit-${at}`);
  found[at].scrollIntoView({ block: "nearest" });
}

export function open() {
  if (!palette || palette.open) return;
  palette.showModal();
  input.select();
  input.dispatchEvent(new Event("open"));
}

if (palette) {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  document.getElementById("palette-open").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    open();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      mark(at + (event.key === "ArrowDown" ? 1 : -1));
    }
  });
  palette.querySelector("form").addEventListener("submit", (event) => {
    const hit = hits()[at];
    if (!hit) return; // nothing found yet: the page will say so
    event.preventDefault();
    location.assign(hit.href);
  });
  document.addEventListener("htmx:after:swap", () => palette.open && mark(0));
}
