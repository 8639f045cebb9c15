// The list of calls. A row is a link, so that it can be opened in another tab and reached by keyboard.

const rows = new Map(); // by call
const pageLength = 200;
let listLength = pageLength;

const hashOf = call => "#trace=" + call.trace_id + "&span=" + call.span_id;

function rowOf(call) {
  const key = keyOf(call);
  let row = rows.get(key);
  if (!row) {
    row = {item: el("li"), link: el("a", {class: "row"})};
    row.item.append(row.link);
    rows.set(key, row);
  }
  if (row.call !== call || call.open) {
    row.call = call;
    fillRow(row.link, call.open ? aged(call) : call);
  }
  return row;
}

function fillRow(link, call) {
  const [owner, name] = splitMethod(call.method);
  link.href = hashOf(call);
  link.title = call.method;
  link.replaceChildren(
    el("span", {class: "when"}, clock(call.start)),
    el("span", {class: "way", title: call.direction === "incoming" ? "served by this process" : "made by this process"}, call.direction === "incoming" ? "in" : "out"),
    el("span", {class: "method"}, el("span", {class: "owner"}, owner), name),
    miniature(call),
    triesOf(call),
    el("span", {class: "state " + tone(call.status, call.open)}, statusText(call.status, call.open)),
    el("span", {class: "took"}, duration(call.duration_ns, call.open)),
  );
}

// triesOf shows how many attempts the call took, or a call below it.
function triesOf(call) {
  if (call.most < 2) return el("span", {class: "tries"}, "");
  const own = call.most === call.attempt_count;
  return el("span", {class: "tries several", title: own ? "" : "by a call that it led to"}, (own ? "" : "↳ ") + plural(call.most, "attempt"));
}

function drawList() {
  const {calls, counts, hint} = shown();
  byID("hint").hidden = !hint;
  byID("hint").textContent = hint;
  const visible = calls.slice(0, listLength).map(rowOf);
  arrange(byID("list"), visible.map(r => r.item));
  if (rows.size > 4 * listLength) {
    const kept = new Set(visible);
    for (const [key, row] of rows) if (!kept.has(row)) rows.delete(key);
  }
  for (const r of visible) {
    if (keyOf(r.call) === selected.key) r.link.setAttribute("aria-current", "true");
    else r.link.removeAttribute("aria-current");
  }
  drawChips(counts);
  const more = byID("more");
  more.hidden = calls.length <= listLength;
  more.textContent = "Show more (" + (calls.length - listLength) + ")";
  drawEmpty(calls.length);
  drawPause();
}

function drawChips(counts) {
  const chips = byID("chips");
  if (!chips.firstChild) {
    chips.append(...Object.keys(kinds).map(kind => radio(false, {"data-kind": kind, class: "chip " + kind, onclick: () => narrow("kind", kind)},
      kinds[kind].label, el("span", {class: "count"}))));
  }
  for (const chip of chips.children) {
    check(chip, chip.dataset.kind === store.kind);
    chip.classList.toggle("some", counts[chip.dataset.kind] > 0);
    chip.lastChild.textContent = counts[chip.dataset.kind];
  }
}

function drawEmpty(count) {
  const empty = byID("empty");
  empty.hidden = count > 0;
  if (store.calls.size > 0) empty.textContent = "No call matches. There are " + store.calls.size + " others.";
  else if (store.size === 0) empty.textContent = "This service keeps no calls.";
  else empty.textContent = "No calls yet. They appear here as this process makes or serves them.";
}

function drawPause() {
  const button = byID("pause");
  button.setAttribute("aria-pressed", String(store.paused));
  button.textContent = store.paused ? (store.held.size ? "Go on (" + store.held.size + ")" : "Go on") : "Pause";
}
