// The portal's own script: live rows, keys, palette, lists, dialogs. Everything works without it, by links and forms.
import "./live.js";
import "./list.js";
import "./rows.js";
import "./drafts.js";
import "./palette.js";
import "./keys.js";

document.documentElement.classList.add("scripted");

// In which zone times are to be shown: said once, and again when it is another one. The settings may overrule it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && zone !== document.body.dataset.zone) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `browser_zone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
}

// A link with data-dialog opens that dialog instead of the page that says the same.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog) {
    event.preventDefault();
    dialog.showModal();
    return;
  }
  const closer = event.target.closest("dialog [data-close]");
  if (closer) {
    event.preventDefault();
    closer.closest("dialog").close();
  } else if (event.target.matches("dialog[open]") && event.target.id === "palette") {
    event.target.close(); // the backdrop
  }
});

// What is shown this once is copied by one click. Browsers allow it over TLS and on this machine; elsewhere there is no button.
if (navigator.clipboard) for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
document.addEventListener("click", async (event) => {
  const of = event.target.closest?.("[data-copy]")?.dataset.copy;
  if (!of) return;
  const from = document.getElementById(of);
  const text = from.value ?? [...from.children].map((line) => line.textContent).join("\n");
  const copied = await navigator.clipboard.writeText(text).then(() => true, () => false);
  document.getElementById(`${of}-copied`).textContent = copied ? "Copied." : "The browser does not let this page copy.";
});

// Menus made of <details> close like menus: by Escape, and by going elsewhere.
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.("details.pop[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
function elsewhere(event) {
  for (const menu of document.querySelectorAll("details.pop[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
}
document.addEventListener("focusin", elsewhere);
document.addEventListener("click", elsewhere);

// What was wrong is where the person goes next.
const problem = document.querySelector("[aria-invalid=true], .refusal a, .with-plan .refusal");
if (problem && !problem.closest(".door")) (problem.matches("input, select, textarea") ? problem : document.getElementById("main")).focus();
