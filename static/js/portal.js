// The portal's own script: live rows, dialogs. Everything works without it, by links and forms.
import "./live.js";

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
  }
});

// Menus made of <details> close like menus: by Escape, and by going elsewhere.
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest("details.user[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.target.closest("input, textarea, select")) {
    const search = document.querySelector("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});
document.addEventListener("focusin", (event) => {
  for (const menu of document.querySelectorAll("details.user[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// What was wrong is where the person goes next.
const problem = document.querySelector("[aria-invalid=true], .refusal a, .refusal");
if (problem && !problem.closest(".door")) (problem.matches("input, select, textarea") ? problem : document.getElementById("main")).focus();
