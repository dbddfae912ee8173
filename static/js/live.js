// Keeps a page true while it is open: hears which rows changed, fetches their fragments, changes what differs.
// The stream carries no content, so that rights are asked anew with each fetch.
import { tell } from "./list.js";
import { morph } from "./morph.js";

const MOST_IDS = 50; // the server's bound on ?ids=
const PAUSE = 500; // milliseconds between two fetches
const FOLLOWING = 2000; // milliseconds in which changes of other rows are gathered
const HIDDEN_TOO_LONG = 60_000;

const address = document.body.dataset.live;
const badge = document.getElementById("live");
const waiting = new Set();
let everything = false;
let busy = false;
let source = null;
let hiding = 0;
let counting = 0;

function show(live) {
  if (!badge) return;
  badge.hidden = false;
  badge.classList.toggle("paused", !live);
  const word = badge.querySelector(".word");
  if (word.textContent && live === (word.textContent === "Live")) return;
  clearInterval(counting);
  word.textContent = live ? "Live" : "Paused, retrying";
  if (live) return;
  const since = Date.now();
  // Once in ten seconds: the badge is a live region, and a screen reader is no stopwatch.
  counting = setInterval(() => {
    word.textContent = `Paused ${Math.round((Date.now() - since) / 1000)} s, retrying`;
  }, 10_000);
}

const shown = () => [...document.querySelectorAll("[data-row]")];

function hear(change) {
  const row = shown().find((item) => item.dataset.id === change.id);
  if (row) waiting.add(change.id);
  else if (document.querySelector(`[data-follows~="${change.kind}"]`)) follow();
  else if (change.kind === document.querySelector("[data-list]")?.dataset.liveKind && !change.deleted) news(change.id);
  if (waiting.size) plan();
}

// What is shown is made of other rows, too (a VDC's bars of its machines'): fetched anew, not for each change of them.
let following = 0;
function follow() {
  following ||= setTimeout(() => {
    following = 0;
    everything = true;
    plan();
  }, FOLLOWING);
}

// New rows wait until they are asked for: nothing moves under the reader's hand.
const fresh = new Set();
function news(id) {
  const sign = document.getElementById("fresh");
  if (!sign || fresh.has(id)) return;
  fresh.add(id);
  sign.hidden = false;
  sign.firstElementChild.textContent = `${fresh.size} new or changed elsewhere · Show`;
}

function plan() {
  if (!busy) {
    busy = true;
    setTimeout(fetchWaiting, 30);
  }
}

async function fetchWaiting() {
  const ids = everything ? shown().map((row) => row.dataset.id) : [...waiting];
  const batch = ids.slice(0, MOST_IDS);
  everything = false;
  waiting.clear();
  for (const id of ids.slice(MOST_IDS)) waiting.add(id);
  try {
    if (batch.length) await refresh(batch);
  } catch {
    for (const id of batch) waiting.add(id);
    show(false);
  }
  setTimeout(() => {
    busy = false;
    if (waiting.size || everything) plan();
  }, PAUSE);
}

async function refresh(ids) {
  // A part with an address of its own is fetched from there; rows of the list, all in one.
  const parts = shown().filter((row) => row.dataset.fragment && ids.includes(row.dataset.id));
  for (const part of parts) await fetchInto(part.dataset.fragment, [part]);
  const rows = shown().filter((row) => !row.dataset.fragment && ids.includes(row.dataset.id));
  const way = document.querySelector("[data-list]")?.dataset.list;
  if (rows.length && way) {
    await fetchInto(`${way}${way.includes("?") ? "&" : "?"}ids=${rows.map((row) => row.dataset.id).join(",")}`, rows);
  }
}

async function fetchInto(url, rows) {
  // Nobody asked for this, so it does not keep the session from ending for want of use.
  const answer = await fetch(url, { headers: { "HX-Request": "true", "Ovim-Unattended": "true" } });
  if (answer.headers.has("HX-Redirect")) {
    location.assign(answer.headers.get("HX-Redirect"));
    return;
  }
  if (answer.status === 404) {
    rows.forEach(gone);
    return;
  }
  if (!answer.ok) throw new Error(String(answer.status));
  const made = document.createElement("template");
  made.innerHTML = await answer.text();
  const found = new Map([...made.content.querySelectorAll("[data-row]")].map((row) => [row.dataset.id, row]));
  for (const row of rows) {
    const now = found.get(row.dataset.id);
    if (now) changed(row, morph(row, now));
    else gone(row);
  }
  tell(); // the bulk bar counts what each verb is now for
}

function changed(row, differs) {
  if (!differs || row.tagName !== "TR") return;
  row.classList.add("changed");
  setTimeout(() => row.classList.remove("changed"), 4000);
}

function gone(row) {
  if (row.dataset.fragment && row.id !== "peek") location.assign(document.querySelector(".side a[aria-current]")?.href ?? "/");
  else row.remove();
}

function open() {
  source = new EventSource(address, { withCredentials: true });
  source.addEventListener("change", (event) => hear(JSON.parse(event.data)));
  source.addEventListener("resync", () => {
    show(true);
    everything = true;
    plan();
  });
  source.addEventListener("resumed", () => show(true));
  source.addEventListener("paused", () => show(false));
  source.addEventListener("error", () => {
    show(false);
    // Refused (signed out, too many): the browser gives up by itself, so we come back later. Until then what is
    // shown is asked for as it is, which leads whoever is signed out to the sign-in.
    if (source?.readyState !== EventSource.CLOSED) return;
    setTimeout(reopen, 5000);
    everything = true;
    plan();
  });
}

function reopen() {
  close();
  open();
}

function close() {
  source?.close();
  source = null;
}

if (address && document.querySelector("[data-list], [data-fragment]")) {
  open();
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && reopen());
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(close, HIDDEN_TOO_LONG);
    else if (!source) open();
  });
}
