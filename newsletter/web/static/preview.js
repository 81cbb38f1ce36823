// One letter, always as it was saved last. Nothing here writes anywhere: it asks, and shows what it is told.

const byId = (id) => document.getElementById(id);
const { now: NOW, people: PEOPLE } = document.body.dataset;
const LEVELS = [["error", "error", "errors"], ["warning", "warning", "warnings"], ["note", "note", "notes"]];
const GAP = 24;

const chosen = { form: "letter", width: "", light: "light", reader: "usual", met: new Set() };
let seen = null; // what the server told last
let asking = null; // the question that is open, to be dropped when another one is asked
let jumped = -1; // the problem that was jumped to last

// Asking

function question(after) {
  const words = new URLSearchParams({ after, reader: chosen.reader, light: chosen.light });
  for (const name of chosen.met) words.append("met", name);
  return `${NOW}?${words}`;
}

async function ask(after) {
  asking?.abort();
  const mine = (asking = new AbortController());
  let failed = 0;
  while (!mine.signal.aborted) {
    const told = await answer(question(after), mine.signal);
    if (mine.signal.aborted) return;
    failed = told ? 0 : failed + 1;
    if (told && told.number !== after) {
      show(told);
      after = told.number;
    }
    if (failed > 1) byId("state").textContent = "The preview has ended. Start it again: newsletter preview";
    if (failed) await new Promise((done) => setTimeout(done, 1000));
  }
}

async function answer(address, signal) {
  try {
    const response = await fetch(address, { signal });
    return response.ok ? await response.json() : null;
  } catch {
    return null; // nobody is there, or the question was dropped
  }
}

// Showing

function show(told) {
  seen = told;
  byId("devices").classList.toggle("empty", !told.copy);
  if (told.copy) {
    for (const frame of document.querySelectorAll("iframe")) put(frame, told.copy.html);
    showPlain();
    showInbox(told);
    showConditions(told.copy.conditions);
  }
  showError(told);
  showProblems(told.problems);
  if (!byId("source").hidden) showSource(byId("source").dataset.path, 0);
  byId("state").textContent = told.fresh ? `As saved at ${clock(told.since)}` : "Not the newest save";
  document.body.dataset.number = told.number;
}

const clock = (instant) => new Date(instant).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

// The new text takes the place of the old one in the same document, in one step: nothing blinks, and the reader's eye
// stays where it was. The document's own parser, because its policy lets styles stand in attributes and ours does not.
function put(frame, html) {
  const win = frame.contentWindow;
  const doc = frame.contentDocument;
  if (!doc || doc.readyState === "loading" || doc.URL === "about:blank") {
    frame.addEventListener("load", () => put(frame, seen.copy.html), { once: true });
    return;
  }
  const place = placeOf(win, doc);
  const fresh = new win.DOMParser().parseFromString(html, "text/html");
  doc.replaceChild(doc.adoptNode(fresh.documentElement), doc.documentElement);
  goTo(win, doc, place);
  if (!frame.dataset.heard) {
    frame.dataset.heard = "yes";
    doc.addEventListener("keydown", onKey);
  }
}

const texts = (doc) => [...doc.querySelectorAll("h1, h2, h3, p, li")];

function placeOf(win, doc) {
  const top = win.scrollY > 0 ? texts(doc).find((each) => each.getBoundingClientRect().bottom > 0) : undefined;
  return { y: win.scrollY, text: top?.textContent, offset: top?.getBoundingClientRect().top };
}

function goTo(win, doc, place) {
  const same = place.text && texts(doc).filter((each) => each.textContent === place.text);
  const tops = (same || []).map((each) => each.getBoundingClientRect().top + win.scrollY - place.offset);
  const near = tops.sort((one, other) => Math.abs(one - place.y) - Math.abs(other - place.y))[0];
  win.scrollTo(0, near ?? place.y);
}

function showPlain() {
  const plain = byId("plain");
  plain.hidden = chosen.form === "letter";
  byId("devices").hidden = chosen.form !== "letter";
  if (seen?.copy && chosen.form !== "letter") plain.textContent = seen.copy[chosen.form];
}

function showInbox(told) {
  const { subject, preheader, bytes } = told.copy;
  byId("inbox-from").textContent = told.from;
  byId("inbox-subject").textContent = subject;
  byId("inbox-preheader").textContent = preheader;
  document.title = subject;
  byId("size").textContent = `${Math.round(bytes / 1000)} KB of the ${Math.floor(told.clippedAt / 1000)} KB that Gmail shows.`;
}

function showConditions(conditions) {
  const box = byId("blocks");
  box.hidden = conditions.length === 0;
  const names = conditions.map((each) => each.name).join("\n");
  if (box.dataset.names !== names) {
    box.dataset.names = names;
    for (const label of box.querySelectorAll("label")) label.remove();
    for (const { name } of conditions) {
      const tick = make("input", { type: "checkbox", value: name });
      tick.addEventListener("change", () => {
        chosen.met[tick.checked ? "add" : "delete"](name);
        again();
      });
      box.lastElementChild.before(make("label", {}, tick, name.replace("segment:", "")));
    }
  }
  for (const [index, tick] of box.querySelectorAll("input").entries()) {
    tick.checked = conditions[index].met;
    tick.disabled = isListed();
  }
}

const isListed = () => byId("reader").selectedOptions[0]?.parentElement.id === "from-list";

function showError(told) {
  const worst = told.problems.find((each) => each.level === "error");
  byId("error").hidden = told.fresh || !worst;
  if (told.fresh || !worst) return;
  byId("error-what").textContent = worst.what;
  byId("error-hint").textContent = worst.hint;
  byId("error-line").textContent = place(worst);
  byId("error-line").onclick = () => showSource(worst.path, worst.line);
  byId("error-since").textContent = told.copy
    ? `What you see is the letter as it was at ${clock(told.since)}.`
    : "There is nothing to show yet.";
}

const place = (problem) => {
  const file = problem.path === seen.path ? "" : problem.path.split("/").pop();
  return [file, problem.line ? `line ${problem.line}` : file ? "" : "the whole file"].filter(Boolean).join(", ");
};

function showProblems(problems) {
  const groups = LEVELS.map(([level, one, many]) => {
    const of = problems.filter((each) => each.level === level);
    return { level, of, words: `${of.length} ${of.length === 1 ? one : many}` };
  }).filter((group) => group.of.length);
  const words = groups.map((group) => group.words).join(", ") || "Nothing is wrong.";
  if (byId("tally").textContent !== words) byId("tally").textContent = words; // said once, and not at every save
  byId("tally").classList.toggle("unseen", groups.length > 0);
  byId("problems").replaceChildren(
    ...groups.flatMap(({ level, of, words: title }) => [
      make("h3", { className: level }, title),
      make("ul", {}, ...of.map(problemRow)),
    ]),
  );
}

function problemRow(problem) {
  const jump = make("button", { type: "button", className: "jump", title: problem.path }, place(problem));
  jump.addEventListener("click", () => {
    jumped = seen.problems.indexOf(problem);
    showSource(problem.path, problem.line);
  });
  const row = make("li", {}, make("p", { className: "what" }, problem.what));
  if (problem.hint) row.append(make("p", { className: "soft" }, problem.hint));
  const ways = make("p", {}, jump);
  if (problem.editor) ways.append(make("a", { href: problem.editor }, "Open in the editor"));
  row.append(ways);
  return row;
}

// With line 0 it stays where it is.
function showSource(path, line) {
  const text = seen.texts[path];
  const box = byId("source");
  if (text === undefined) return;
  const was = byId("lines").scrollTop;
  const here = line || (box.dataset.path === path && Number(box.dataset.line)) || 0;
  Object.assign(box.dataset, { path, line: here });
  box.hidden = false;
  byId("source-title").textContent = path.split("/").pop();
  byId("lines").replaceChildren(
    ...text.split("\n").map((words, index) => {
      const row = make("div", {}, words || " ");
      row.dataset.line = index + 1;
      row.classList.toggle("here", index + 1 === here);
      return row;
    }),
  );
  byId("lines").scrollTop = was;
  if (line) byId("lines").children[line - 1]?.scrollIntoView({ block: "center" });
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// Screens: as large as they are, and smaller only where there is no room.

function fit() {
  const stage = byId("devices");
  const narrow = byId("stage").clientWidth < 600;
  const shown = chosen.width !== "both" ? [chosen.width] : narrow ? ["phone"] : ["phone", "desktop"];
  for (const id of ["phone", "desktop"]) byId(id).hidden = !shown.includes(id);
  if (stage.hidden) return;
  const screens = shown.map((id) => byId(id).querySelector(".screen"));
  const frame = screens[0].offsetWidth - screens[0].clientWidth;
  const widths = shown.map((id) => Number(byId(id).dataset.width));
  const room = stage.clientWidth - GAP * (shown.length - 1) - frame * shown.length;
  const scale = Math.min(1, room / widths.reduce((sum, width) => sum + width));
  const height = stage.clientHeight - screens[0].previousElementSibling.offsetHeight;
  for (const [index, screen] of screens.entries()) {
    Object.assign(screen.style, { width: `${widths[index] * scale + frame}px`, height: `${height}px` });
    Object.assign(screen.firstElementChild.style, {
      width: `${widths[index]}px`,
      height: `${(height - 2) / scale}px`,
      transform: scale === 1 ? "none" : `scale(${scale})`,
    });
  }
}

// Choosing

const again = () => ask(0);

function choose(name, value) {
  chosen[name] = value;
  const button = document.querySelector(`input[name="${name}"][value="${value}"]`);
  if (button) button.checked = true;
  sessionStorage.setItem(name, value);
  if (name === "form") showPlain();
  if (name === "width" || name === "form") fit();
  if (name === "light" || name === "reader") again();
}

const KEYS = {
  1: () => choose("width", "phone"),
  2: () => choose("width", "desktop"),
  3: () => choose("width", "both"),
  d: () => choose("light", chosen.light === "dark" ? "light" : "dark"),
  t: () => choose("form", chosen.form === "text" ? "letter" : "text"),
  m: () => choose("form", chosen.form === "message" ? "letter" : "message"),
  r: () => byId("reader").focus(),
  v: nextVariant,
  p: nextProblem,
};

function onKey(event) {
  if (event.key === "Escape" && !byId("finder").hidden) return openFinder(false);
  const typing = event.target.closest?.("select, input:not([type='radio'], [type='checkbox'])");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
}

function nextVariant() {
  const names = [...byId("blocks").querySelectorAll("input:enabled")].map((each) => each.value);
  const number = names.reduce((sum, name, bit) => sum + (chosen.met.has(name) ? 1 << bit : 0), 1) % (1 << names.length);
  chosen.met = new Set(names.filter((_, bit) => number & (1 << bit)));
  again();
}

function nextProblem() {
  if (!seen?.problems.length) return;
  jumped = (jumped + 1) % seen.problems.length;
  showSource(seen.problems[jumped].path, seen.problems[jumped].line);
  byId("problems").querySelectorAll(".jump")[jumped].focus();
}

// Somebody on the list

function openFinder(open) {
  byId("finder").hidden = !open;
  byId("find").setAttribute("aria-expanded", open);
  byId(open ? "words" : "find").focus();
  if (open) search();
}

let searching = 0;

async function search() {
  const mine = ++searching;
  if (!byId("found").childElementCount) byId("found").append(make("li", { className: "soft" }, "Looking …"));
  // In a header: an address that is typed here must not end up in one that the browser keeps.
  const answer = await fetch(PEOPLE, { headers: { "X-Words": encodeURIComponent(byId("words").value) } });
  const { found, whyNot } = await answer.json();
  if (mine !== searching) return;
  const rows = found.map((person) => {
    const button = make("button", { type: "button" }, person.label, make("span", {}, person.note));
    button.addEventListener("click", () => pick(person));
    return make("li", {}, button);
  });
  const said = whyNot || (byId("words").value.trim() ? "Nobody who may be mailed is called so." : "");
  byId("found").replaceChildren(...(rows.length || !said ? rows : [make("li", { className: "soft" }, said)]));
}

function pick(person) {
  const list = byId("from-list");
  if (![...list.children].some((each) => each.value === person.key)) {
    list.append(make("option", { value: person.key }, `${person.label}, ${person.note}`));
  }
  byId("reader").value = person.key;
  openFinder(false);
  choose("reader", person.key);
}

// Beginning

document.addEventListener("keydown", onKey);
document.querySelector(".bar").addEventListener("submit", (event) => event.preventDefault());
document.querySelector(".bar").addEventListener("change", ({ target }) => {
  if (target.type === "radio") choose(target.name, target.value);
});
byId("reader").addEventListener("change", ({ target }) => choose("reader", target.value));
byId("find").addEventListener("click", () => openFinder(byId("finder").hidden));
byId("words").addEventListener("input", search);
byId("source-close").addEventListener("click", () => (byId("source").hidden = true));
document.addEventListener("visibilitychange", () => (document.hidden ? asking?.abort() : again()));
new ResizeObserver(fit).observe(byId("devices"));

const kept = (name, otherwise) => sessionStorage.getItem(name) || otherwise;
chosen.light = kept("light", "light");
document.querySelector(`input[name="light"][value="${chosen.light}"]`).checked = true;
chosen.width = kept("width", byId("stage").clientWidth > 860 ? "both" : "phone");
choose("form", kept("form", "letter"));
choose("width", chosen.width);
again();
