// Views, keys, and the one place that draws.

let view = "calls";
let drawing = 0;

function draw() {
  if (drawing) return;
  drawing = requestAnimationFrame(() => {
    drawing = 0;
    if (view !== "calls") return;
    drawList();
    drawDetail();
  });
}

const views = {calls: draw, status: drawStatus, refusals: drawRefusals, policy: drawPolicy, describe: drawDescription};

// filters are the fields of the store that an address can hold, each with its value when it is not there.
const filters = {filter: "", kind: "all", outcome: "", order: "newest"};

function route() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const trace = hash.get("trace") || "";
  view = Object.keys(views).find(v => hash.has(v)) || "calls";
  if (Object.keys(filters).some(f => hash.has(f))) restore(hash);
  for (const v of Object.keys(views)) byID(v).hidden = v !== view;
  for (const a of document.querySelectorAll("nav a")) {
    if (a.dataset.view === view) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  if (trace) open(trace, hash.get("span") || "");
  else close();
  views[view]();
  remember();
}

// restore takes the filters from an address.
function restore(hash) {
  for (const [field, usual] of Object.entries(filters)) store[field] = hash.get(field) || usual;
  if (!kinds[store.kind]) store.kind = "all";
  if (!orders[store.order]) store.order = "newest";
  byID("filter").value = store.filter;
  byID("outcome").value = store.outcome;
  byID("order").value = store.order;
}

// remember puts the filters into the address, so that it can be shared and survives a reload.
function remember() {
  if (view !== "calls") return;
  const hash = new URLSearchParams();
  if (selected.trace) hash.set("trace", selected.trace);
  if (selected.span) hash.set("span", selected.span);
  for (const [field, usual] of Object.entries(filters)) if (store[field] !== usual) hash.set(field, store[field]);
  history.replaceState(null, "", hash.size ? "#" + hash : "#calls");
}

// narrow changes one filter.
function narrow(field, value) {
  store[field] = value;
  listLength = pageLength;
  remember();
  draw();
}

// step opens or focuses the next call of the list.
function step(by) {
  const links = [...byID("list").querySelectorAll("a")];
  if (!links.length) return;
  let at = links.indexOf(document.activeElement);
  if (at < 0) at = links.findIndex(a => a.hasAttribute("aria-current"));
  const next = links[Math.min(links.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  next.focus();
  if (selected.trace) location.replace(next.href);
}

function leave() {
  if (byID("keys").open) return;
  if (selected.trace) {
    const current = byID("list").querySelector("[aria-current]");
    location.hash = "calls";
    if (current) current.focus();
    return;
  }
  byID("filter").value = "";
  byID("filter").blur();
  narrow("filter", "");
}

function pause() {
  store.paused = !store.paused;
  if (!store.paused) resume();
  draw();
}

const keys = {
  j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
  p: pause, "/": () => byID("filter").focus(), "?": () => byID("keys").showModal(),
  1: () => narrow("kind", "all"), 2: () => narrow("kind", "failed"), 3: () => narrow("kind", "retried"), 4: () => narrow("kind", "open"),
};

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || byID("keys").open) return;
  if (event.key === "Escape") return leave();
  if (event.target.getAttribute("role") === "radio" && choose(event.target, event.key)) return event.preventDefault();
  const field = event.target.matches("input, select, textarea");
  if (event.target === byID("filter") && (event.key === "Enter" || event.key === "ArrowDown")) return step(0);
  if (field || view !== "calls" || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

for (const [field, event] of [["filter", "input"], ["outcome", "change"], ["order", "change"]]) byID(field).addEventListener(event, e => narrow(field, e.target.value));
byID("policy-filter").addEventListener("input", showPolicies);
byID("question-form").addEventListener("submit", explain);
byID("refusal-filter").addEventListener("input", showRefusals);
byID("pause").addEventListener("click", pause);
byID("help").addEventListener("click", () => byID("keys").showModal());
byID("more").addEventListener("click", () => {
  listLength += pageLength;
  draw();
});
addEventListener("hashchange", route);

setInterval(() => {
  if (document.hidden) return;
  if (view === "status") drawStatus();
  else if (view === "refusals") drawRefusals();
  else if ([...store.calls.values()].some(c => c.open)) draw();
}, 1000);

connect();
route();
