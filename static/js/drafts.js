// What was typed into a form survives: an expired session, a lost network, a closed laptop. It stays in this tab's
// storage, under the person's id, and goes when the form has led on, or with the sign-out. Secrets are never kept.
// The form's key and generation are: sent again it is the same request, and who was faster is still told.

const FORMS = "form[data-draft]";
const SECRET = "input[type=password], input[type=file], [data-secret], [name=csrfmiddlewaretoken]";
const DAY = 86_400_000;
const PREFIX = "draft:";
const SENT = "draft-sent";

const name = (form) => `${PREFIX}${form.dataset.draft}:${location.pathname}`;
const fields = (form) => [...form.elements].filter((item) => item.name && item.type !== "submit" && !item.matches(SECRET));
const chosen = (item) => item.type === "radio" || item.type === "checkbox";

function keep(form) {
  const values = fields(form)
    .filter((item) => !chosen(item) || item.checked)
    .map((item) => [item.name, item.value]);
  const unticked = fields(form).filter((item) => item.type === "checkbox" && !item.checked);
  const off = unticked.map((item) => item.name);
  try {
    sessionStorage.setItem(name(form), JSON.stringify({ at: Date.now(), values, off }));
  } catch {
    // No room, or not allowed: then nothing is kept.
  }
}

function read(form) {
  try {
    const draft = JSON.parse(sessionStorage.getItem(name(form)));
    return draft && Date.now() - draft.at < DAY ? draft : null;
  } catch {
    return null;
  }
}

function put(form, draft) {
  let changed = false;
  for (const [key, value] of draft.values) {
    for (const item of fields(form).filter((field) => field.name === key)) {
      if (chosen(item)) {
        if (item.value === value && !item.checked) changed = item.checked = true;
      } else if (item.value !== value && !(item.tagName === "SELECT" && ![...item.options].some((o) => o.value === value))) {
        item.value = value;
        changed ||= item.type !== "hidden";
      }
    }
  }
  for (const item of fields(form)) {
    if (item.type === "checkbox" && item.checked && draft.off.includes(item.name)) {
      item.checked = false;
      changed = true;
    }
  }
  return changed;
}

function tell(form) {
  const note = document.createElement("p");
  note.className = "note busy draft";
  note.setAttribute("role", "status");
  note.append("What you had typed here is back. ");
  const drop = document.createElement("button");
  drop.type = "button";
  drop.className = "plain";
  drop.textContent = "Start afresh";
  drop.addEventListener("click", () => {
    sessionStorage.removeItem(name(form));
    location.reload();
  });
  note.append(drop);
  form.prepend(note);
}

function forget(which = () => true) {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX) && which(key)) sessionStorage.removeItem(key);
}

// A form that was sent has led on if one is elsewhere now: not at itself again, nor at the door.
function settle() {
  const sent = sessionStorage.getItem(SENT);
  if (!sent) return;
  const stays = document.querySelector(".door") || sent.endsWith(`:${location.pathname}`);
  if (stays) return;
  sessionStorage.removeItem(SENT);
  sessionStorage.removeItem(sent);
}

let waiting = 0;
function typed(event) {
  const form = event.target.closest?.(FORMS);
  if (!form) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => keep(form), 200);
}

settle();
for (const form of document.querySelectorAll(FORMS)) {
  // What the server has sent back is newer than any draft of it.
  const draft = form.dataset.bound === undefined ? read(form) : null;
  if (draft && put(form, draft)) {
    tell(form);
    form.dispatchEvent(new Event("change", { bubbles: true })); // the plan, of what is there now
  }
}
document.addEventListener("input", typed);
document.addEventListener("change", typed);
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches(FORMS)) {
    keep(form);
    sessionStorage.setItem(SENT, name(form));
  }
  if (form.action.endsWith("/sign-out/")) forget();
});
