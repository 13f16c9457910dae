// Makes the page live: results follow what is typed after a pause, and so do the address bar, back and forward.
// The server renders everything; without this script the form and the links do the same by loading the page.

const PAUSE = 300; // milliseconds after the last key
const LONG_PAUSE = 2000; // the same, while the text is incomplete: an open quotation mark or bracket, an operator
const QUOTES = /[“”„‟«»″〝〞「」『』＂]/g; // what keyboards write for "
const DANGLING = /[-:(]$|(^|\s)(and|or|not)\s*$/i;
const FOLLOW = 3000; // milliseconds between two looks while the last days are still being read
const NO_ANSWER = "No answer from the server";
const STORE = "feedproxy.filters";
const MAX_FEEDS = 100; // in an OPML file
const MAX_ADDRESS = 8000; // characters; servers refuse longer ones
// These lead to this page with another query.
const LINKS = "#examples a, #choices a, #named-feeds li > a, #q-advice a, .advice a, #thresholds a, #nothing a, #pages a, #more, #saved li a";
// The parts of the page that depend on its query.
const PARTS = ["#q-advice", "#chips", "#choices ul", "#thresholds", "#subscribe", "#summary", "#results"];

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

// A number of papers counts only for digests, and votes change nothing there; a mistake stays within reach.
function allow() {
  const isDigest = form.elements.digest.value !== "";
  const counts = find("#counts");
  find("#top").disabled = !isDigest;
  counts.disabled = isDigest && !counts.hasAttribute("aria-invalid");
}

// Say something that is not the number of papers; show it too, unless that can be seen elsewhere.
function say(text, isShown = false) {
  find("#message").textContent = text;
  find("#message").classList.toggle("unseen", !isShown);
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
    else complain(reason(answer, body));
  } catch {
    if (signal.aborted) return;
    complain(NO_ANSWER);
  }
  find("#results").removeAttribute("aria-busy");
  followTheFill();
}

function complain(problem) {
  say(`${problem}. What you see is for the filter before; type on to try again.`, true);
}

// Look again until all days are read, but take nothing away that somebody uses.
let look = null;

function followTheFill() {
  clearTimeout(look);
  if (find("#filling")) look = setTimeout(lookAgain, FOLLOW);
}

function lookAgain() {
  const isInUse = pause !== null || focusedPlace() || find("#ways")?.open;
  isInUse ? followTheFill() : show(location.search.slice(1));
}

// Return what the server itself says is wrong, which is one line of text.
function reason(answer, body) {
  const line = answer.headers.get("Content-Type")?.startsWith("text/plain") ? body.trim() : "";
  return line && line.length < 300 ? line : NO_ANSWER;
}

function put(page) {
  const place = focusedPlace();
  const isTableOpen = find("#days-table")?.open;
  const status = find("#status");
  const told = find("#status", page).textContent;
  const isNews = told !== status.textContent || !find("#filling"); // what follows the fill says nothing twice
  document.title = page.title;
  all("link[rel=alternate]").forEach((link) => link.remove());
  document.head.append(...all("link[rel=alternate]", page));
  all(".error", form).forEach((place) => tell(place, page.getElementById(place.id)?.textContent ?? ""));
  allow();
  if (find("#options .error:not(:empty)")) find("#options").open = true;
  find("#days").placeholder = find("#days", page).placeholder;
  for (const part of PARTS) find(part).replaceWith(find(part, page));
  if (isTableOpen) find("#days-table")?.setAttribute("open", "");
  if (isNews) status.textContent = told;
  say("");
  enliven();
  if (place) find(place)?.focus({ preventScroll: true });
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
  if (focused?.id === "more") return `#entries > li:nth-child(${all("#entries > li").length + 1}) a`;
  if (focused?.closest("#thresholds")) return "#thresholds [aria-current]";
  if (focused?.closest("#chips")) return "#chips [aria-current]";
  return focused?.closest(PARTS.join()) ? "#in-words" : null;
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
  pause = then ? setTimeout(then, isIncomplete(find("#q").value) ? LONG_PAUSE : PAUSE) : null;
}

// Say whether a filter goes on: in a quotation mark or bracket, or after an operator.
function isIncomplete(text) {
  const plain = text.replace(QUOTES, '"').replace(/（/g, "(").replace(/）/g, ")");
  const [outside, ...quoted] = plain.replace(/"[^"]*"/g, "").split('"');
  const depth = outside.split("(").length - outside.split(")").length;
  return quoted.length > 0 || depth > 0 || DANGLING.test(plain);
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
  const mistake = document.getElementById(event.target.getAttribute("aria-describedby") ?? "digest-error");
  if (mistake?.textContent) {
    tell(mistake, "");
    all(`#mistakes a[href="#${event.target.name}"]`).forEach((link) => link.parentElement.remove());
    if (event.target.id === "q") find("#q-advice").replaceChildren();
  }
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
  const mistake = event.target.closest("#mistakes a");
  if (mistake) {
    event.preventDefault();
    return fieldOf(mistake.hash.slice(1)).focus();
  }
  const link = event.target.closest(LINKS);
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  link.focus({ preventScroll: true }); // Safari does not
  if (link.closest("#choices")) return choose(link);
  if (link.closest("#thresholds")) return set("min_upvotes", link);
  fill(link.search);
  follow(link.search.slice(1));
});

addEventListener("keydown", ({ key }) => {
  const list = find("#choices details");
  if (key === "Escape" && list.open) {
    list.open = false;
    find("summary", list).focus();
  }
});

// Return what takes the focus of a field that is a choice among several, too.
function fieldOf(name) {
  return document.getElementById(name).querySelector("input:checked, input") ?? document.getElementById(name);
}

// Take one field from a link, keep the others as they are typed, and show the results.
function set(name, link) {
  form.elements[name].value = new URLSearchParams(link.search).get(name) ?? "";
  follow(typed());
}

// Take the words of a ready-made filter, and close the list of all.
function choose(link) {
  const list = link.closest("details");
  if (list) {
    list.open = false;
    find("#in-words")?.focus({ preventScroll: true });
  }
  set("q", link);
}

// Copying --------------------------------------------------------------------------------------

const KEYS = /^(Mac|iP)/.test(navigator.platform) ? "⌘C" : "Ctrl+C";

async function copy() {
  const link = find("#address a");
  const button = find("#copy");
  const copied = (await written(link.href)) || selected(link);
  button.textContent = copied ? "Copied" : `Press ${KEYS}`;
  say(copied ? "The address is copied." : `The address is selected: ${KEYS} copies it.`);
  if (copied) setTimeout(() => (button.textContent = "Copy"), 3000);
  return copied;
}

// Opening the ways to subscribe copies the address too.
async function subscribe(ways) {
  if (!ways.open) return;
  find("#subscribe").scrollIntoView({ block: "nearest" });
  if (await copy()) find("#how").textContent = find("#how").textContent.replace(/^Copy the address/, "Copied. Paste it");
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
  const copied = document.execCommand("copy");
  if (copied) getSelection().removeAllRanges();
  return copied;
}

// Saving filters, in this browser -----------------------------------------------------------------

function saved() {
  try {
    const filters = JSON.parse(localStorage.getItem(STORE));
    return Array.isArray(filters) ? filters.filter(isFilter) : [];
  } catch {
    return [];
  }
}

// Say whether a link can be made of what was stored.
function isFilter(one) {
  return typeof one?.query === "string" && !/\p{Surrogate}/u.test(one.query);
}

// Return whether the browser saved them.
function save(filters) {
  try {
    localStorage.setItem(STORE, JSON.stringify(filters));
    return true;
  } catch {
    say("This browser does not let the page save anything.", true);
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
  const button = find("#save");
  if (button) button.textContent = filters.some(({ query }) => query === button.dataset.query) ? "Saved ✓" : "Save";
}

function row({ query, title }) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = query ? `./?${query}` : "./";
  link.textContent = link.title = title || query;
  if (query === find("#save")?.dataset.query) link.setAttribute("aria-current", "true");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "×";
  button.setAttribute("aria-label", `Remove ${link.textContent}`);
  button.addEventListener("click", () => {
    save(saved().filter((one) => one.query !== query));
    find("#saved").hidden ? find("#q").focus() : find("#saved button").focus();
    say(`No longer saved: ${link.textContent}`);
  });
  item.append(link, button);
  return item;
}

// Save this filter, or no longer if it is saved.
function toggle({ query, title }) {
  const filters = saved();
  const others = filters.filter((one) => one.query !== query);
  const isSaved = others.length < filters.length;
  if (save(isSaved ? others : [...others, { query, title }])) say(`${isSaved ? "No longer saved" : "Saved"}: ${title}`);
}

// The chart ------------------------------------------------------------------------------------

const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

// Let the arrow keys go from day to day, and tell each.
function walk(chart) {
  const days = all(".day", chart);
  let at = days.length - 1;
  const tellDay = (isHere) => {
    days.forEach((day, number) => day.classList.toggle("at", isHere && number === at));
    chart.setAttribute("aria-valuenow", at + 1);
    chart.setAttribute("aria-valuetext", days[at].textContent.trim());
  };
  const attributes = { role: "slider", tabindex: 0, "aria-label": "Papers by day", "aria-valuemin": 1, "aria-valuemax": days.length };
  for (const [name, value] of Object.entries(attributes)) chart.setAttribute(name, value);
  tellDay(false);
  chart.addEventListener("focus", () => chart.matches(":focus-visible") && tellDay(true));
  chart.addEventListener("blur", () => tellDay(false));
  for (const type of ["pointerdown", "pointermove"]) {
    chart.addEventListener(type, ({ clientX }) => {
      at = nearest(days, clientX);
      tellDay(true);
    });
  }
  chart.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && tellDay(false));
  chart.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    at = Math.min(Math.max(at + step, 0), days.length - 1);
    tellDay(true);
  });
}

// Return the number of the day whose middle is nearest to a place on the screen.
function nearest(days, x) {
  const distances = days.map((day) => {
    const { left, width } = find(".slot", day).getBoundingClientRect();
    return Math.abs(left + width / 2 - x);
  });
  return distances.indexOf(Math.min(...distances));
}

// Bring to life what was put there, and show the buttons that need a script.
function enliven() {
  all(".live").forEach((button) => (button.hidden = false));
  find("#copy")?.addEventListener("click", copy);
  find("#save")?.addEventListener("click", ({ target }) => toggle(target.dataset));
  find("#ways")?.addEventListener("toggle", ({ target }) => subscribe(target));
  all("#chart .chart").forEach(walk);
  list();
}

addEventListener("storage", list);
allow();
enliven();
followTheFill();
