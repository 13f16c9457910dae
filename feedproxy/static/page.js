// Makes the page live: results follow what is typed after a pause, and so do the address bar, back and forward.
// The server renders everything; without this script the form and the links do the same by loading the page.

const PAUSE = 300; // milliseconds after the last key
const LONG_PAUSE = 2000; // the same, while the text is incomplete: an open quotation mark or bracket, an operator
const OPEN = /^[^"]*("[^"]*"[^"]*)*"[^"]*$|[-:(]$|(^|\s)(and|or|not)\s*$/i;
const STORE = "feedproxy.filters";
const MAX_FEEDS = 100; // in an OPML file
const MAX_ADDRESS = 8000; // characters; servers refuse longer ones
const LINKS = "#examples a, #choices a, #named-feeds li > a:first-child, .advice a, .misspelling a, #offers a, #thresholds a, #nothing a, #pages a, #saved li a"; // lead to this page with another query

const form = document.querySelector("#filter");
const find = (selector, place = document) => place.querySelector(selector);
const all = (selector, place = document) => [...place.querySelectorAll(selector)];

// The form and its query -----------------------------------------------------------------------

function typed() {
  const query = new URLSearchParams(new FormData(form));
  for (const field of all("select", form)) {
    if (field.selectedIndex === 0) query.delete(field.name);
  }
  for (const [name, value] of [...query]) {
    if (!value.trim()) query.delete(name);
  }
  return query.toString();
}

function fill(query) {
  const values = new URLSearchParams(query);
  for (const field of all("input, select", form)) {
    if (field.type === "radio") {
      field.checked = field.value === (values.get(field.name) ?? "");
      continue;
    }
    if (field instanceof HTMLSelectElement) field.selectedIndex = 0;
    field.value = values.get(field.name) ?? (field instanceof HTMLSelectElement ? field.value : "");
  }
  if (all("#options [name]").some(({ name }) => values.has(name))) find("#options").open = true;
  allow();
}

// A number of papers counts only for digests.
function allow() {
  find("#top").disabled = !form.elements.digest.value;
}

// Showing it -----------------------------------------------------------------------------------

let request = new AbortController();

async function show(query) {
  request.abort();
  request = new AbortController();
  const { signal } = request;
  find("#results").setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(query ? `./?${query}` : "./", { headers: { Accept: "text/html" }, signal });
    const body = await answer.text();
    const page = new DOMParser().parseFromString(body, "text/html");
    if (find("#results", page)) put(page);
    else find("#status").textContent = `${reason(answer, body)}; the results may be out of date. Type on to try again.`;
  } catch {
    if (signal.aborted) return;
    find("#status").textContent = "The server does not answer; the results may be out of date. Type on to try again.";
  }
  find("#results").removeAttribute("aria-busy");
}

// Return what the server itself says is wrong, which is one line of text.
function reason(answer, body) {
  const line = answer.headers.get("Content-Type")?.startsWith("text/plain") ? body.trim() : "";
  return line && line.length < 300 ? line : "The server does not answer";
}

function put(page) {
  const place = focusedPlace();
  document.title = page.title;
  all("link[rel=alternate]").forEach((link) => link.remove());
  document.head.append(...all("link[rel=alternate]", page));
  all(".error", form).forEach((place) => tell(place, page.getElementById(place.id)?.textContent ?? ""));
  if (find("#options .error:not(:empty)")) find("#options").open = true;
  find("#days").placeholder = find("#days", page).placeholder;
  for (const id of ["#q-advice", "#choices ul", "#results"]) find(id).replaceWith(find(id, page));
  find("#status").textContent = find("#status", page).textContent;
  enliven();
  if (place) find(place)?.focus();
}

// Tell, below a field, what is wrong with it.
function tell(place, problem) {
  const field = find(`[aria-describedby="${place.id}"]`);
  place.textContent = problem;
  if (problem) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

// Return where the focus goes when what has it is replaced.
function focusedPlace() {
  const focused = document.activeElement;
  if (!focused?.closest("#results, #q-advice")) return null;
  return focused.closest("#thresholds") ? "#thresholds [aria-current]" : "#in-words";
}

// Typing, links, back and forward ----------------------------------------------------------------

let pause = null;
let editing = null; // the field whose changes the newest entry of the history stands for

// Forms write + for a space, links %20.
function spelled(query) {
  return new URLSearchParams(query).toString();
}

function wait(then) {
  clearTimeout(pause);
  pause = then ? setTimeout(then, OPEN.test(find("#q").value) ? LONG_PAUSE : PAUSE) : null;
}

function follow(query, field = null) {
  wait(null);
  const address = query ? `./?${query}` : "./";
  if (spelled(query) !== spelled(location.search)) {
    history[field && field === editing ? "replaceState" : "pushState"](null, "", address);
    editing = field;
  }
  return show(query);
}

form.addEventListener("input", (event) => {
  allow();
  wait(() => follow(typed(), event.target.name));
});

form.addEventListener("focusout", () => {
  if (pause === null) editing = null;
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  follow(typed());
});

addEventListener("popstate", () => {
  wait(null);
  editing = null;
  fill(location.search);
  show(location.search.slice(1));
});

document.addEventListener("click", (event) => {
  const link = event.target.closest(LINKS);
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.closest("#choices")) return choose(link);
  fill(link.search);
  follow(link.search.slice(1));
});

// Take the words of a ready-made filter, keep the other fields as they are typed, and show the results.
function choose(link) {
  find("#q").value = new URLSearchParams(link.search).get("q");
  find("#choices").open = false;
  find("#in-words")?.focus();
  follow(typed());
}

// Copying --------------------------------------------------------------------------------------

const KEYS = /^(Mac|iP)/.test(navigator.platform) ? "⌘C" : "Ctrl+C";

async function copy(button) {
  const link = find("a", button.parentElement);
  const copied = (await written(link.href)) || selected(link);
  button.textContent = copied ? "Copied" : `Press ${KEYS}`;
  find("#status").textContent = copied ? "The address is copied." : `The address is selected: ${KEYS} copies it.`;
  if (copied) setTimeout(() => (button.textContent = "Copy"), 3000);
}

// Return whether the browser copied it; on plain HTTP it has no clipboard, but for pages of this machine.
async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

// Select the address, and return whether the browser copied what is selected.
function selected(link) {
  getSelection().selectAllChildren(link);
  return document.execCommand("copy");
}

// Saving filters, in this browser -----------------------------------------------------------------

function saved() {
  try {
    const filters = JSON.parse(localStorage.getItem(STORE));
    return Array.isArray(filters) ? filters.filter((one) => typeof one?.query === "string") : [];
  } catch {
    return [];
  }
}

// Return whether the browser saved them.
function save(filters) {
  try {
    localStorage.setItem(STORE, JSON.stringify(filters));
    return true;
  } catch {
    find("#status").textContent = "This browser does not let the page save anything.";
    return false;
  } finally {
    list();
  }
}

function list() {
  const filters = saved();
  find("#saved").hidden = !filters.length;
  find("#saved ul").replaceChildren(...filters.map(row));
  const feeds = filters.map(({ query }) => `feed=${encodeURIComponent(`feed.rss${query && "?"}${query}`)}`);
  const address = `opml?${feeds.join("&")}`;
  const fits = feeds.length <= MAX_FEEDS && address.length < MAX_ADDRESS;
  find("#opml").setAttribute("href", fits ? address : "");
  find("#opml").parentElement.hidden = !fits;
  find("#too-many").hidden = fits;
}

function row({ query, title }) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = query ? `./?${query}` : "./";
  link.textContent = title || query;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Remove";
  button.setAttribute("aria-label", `Remove ${link.textContent}`);
  button.addEventListener("click", () => {
    save(saved().filter((one) => one.query !== query));
    find("#saved").hidden ? find("#q").focus() : find("#saved button").focus();
  });
  item.append(link, button);
  return item;
}

function saveThis(button) {
  const { query, title } = button.dataset;
  if (!save([...saved().filter((one) => one.query !== query), { query, title }])) return;
  button.textContent = "Saved";
  find("#status").textContent = `Saved: ${title}`;
}

// Show the buttons that need a script.
function enliven() {
  for (const button of all("#results button[hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => (button.id === "save" ? saveThis(button) : copy(button)));
  }
}

addEventListener("storage", list);
allow();
enliven();
list();
