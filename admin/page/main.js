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

function route() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const trace = hash.get("trace") || "";
  view = ["status", "describe"].find(v => hash.has(v)) || "calls";
  for (const v of ["calls", "status", "describe"]) byID(v).hidden = v !== view;
  for (const a of document.querySelectorAll("nav a")) {
    if (a.dataset.view === view) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  if (trace) open(trace, hash.get("span") || "");
  else close();
  if (view === "status") drawStatus();
  if (view === "describe") drawDescription();
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
  byID("filter").value = store.filter = "";
  byID("filter").blur();
  draw();
}

function pause() {
  store.paused = !store.paused;
  if (!store.paused) resume();
  draw();
}

const keys = {
  j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
  p: pause, "/": () => byID("filter").focus(), "?": () => byID("keys").showModal(),
  1: () => choose("all"), 2: () => choose("failed"), 3: () => choose("retried"), 4: () => choose("open"),
};

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || byID("keys").open) return;
  if (event.key === "Escape") return leave();
  const field = event.target.matches("input, select");
  if (event.target === byID("filter") && (event.key === "Enter" || event.key === "ArrowDown")) return step(0);
  if (field || view !== "calls" || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

byID("filter").addEventListener("input", event => {
  store.filter = event.target.value;
  listLength = pageLength;
  draw();
});
byID("order").addEventListener("change", event => {
  store.order = event.target.value;
  draw();
});
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
  else if ([...store.calls.values()].some(c => c.open)) draw();
}, 1000);

connect();
route();
