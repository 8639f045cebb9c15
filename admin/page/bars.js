// The waterfall of one call as lines against one time scale, in the order in which the text drawing has them.

function linesOf(call) {
  const lines = [];
  if (call.direction === "incoming" || !(call.attempts || call.calls)) addCall(lines, call, call, 0, 0);
  else addBelow(lines, call, 0, 0);
  return lines;
}

function addBelow(lines, call, from, depth) {
  const steps = [];
  for (const w of call.waits || []) {
    steps.push([w.offset_ns, () => lines.push({
      shape: "gap", depth, label: "wait", note: w.source === "pushback" ? "as the server asked" : "", id: call.span_id + "w" + w.next_attempt,
      from: from + w.offset_ns, to: from + w.offset_ns + w.duration_ns, open: w.open,
      facts: [["before attempt", String(w.next_attempt)], ["planned", duration(w.backoff_ns)], ["because of", w.cause], ["set by", w.source]],
    })]);
  }
  for (const a of call.attempts || []) steps.push([a.offset_ns, () => addAttempt(lines, a, call, from, depth)]);
  for (const c of call.calls || []) steps.push([sinceStart(c, call), () => addCall(lines, c, call, from, depth)]);
  steps.sort((a, b) => a[0] - b[0]);
  for (const [, add] of steps) add();
}

function addAttempt(lines, a, of, from, depth) {
  const facts = (a.attributes || []).map(f => [f.key, f.value]);
  lines.push({
    shape: "bar", depth, number: a.number, label: a.endpoint || (a.open ? "not yet known" : "not connected"), note: a.hedge ? "hedge" : "",
    id: a.span_id, status: a.status, open: a.open, from: from + a.offset_ns, to: from + a.offset_ns + a.duration_ns,
    facts: [["message", a.message], ["span", a.span_id], ...facts],
  });
  for (const c of a.calls || []) addCall(lines, c, of, from, depth + 1);
}

function addCall(lines, call, of, from, depth) {
  const begin = from + sinceStart(call, of);
  const served = call.direction === "incoming";
  lines.push({
    shape: "bar", inner: served || Boolean(call.attempts || call.calls), depth, label: served ? "server" : shortMethod(call.method), note: served && call.method !== of.method ? shortMethod(call.method) : "",
    id: call.span_id, status: call.status, open: call.open, from: begin, to: begin + call.duration_ns,
    facts: [["method", call.method], ["message", call === of ? "" : call.message], ["span", call.span_id], ["from", call.peer], ...(call === of ? [] : (call.attributes || []).map(f => [f.key, f.value]))],
  });
  addBelow(lines, call, begin, depth + 1);
}

// sinceStart is how long after another call one began. A Date holds milliseconds; the rest of the digits are read apart.
function sinceStart(call, of) {
  if (call === of) return 0;
  return (Date.parse(call.start) - Date.parse(of.start)) * 1e6 + belowMillisecond(call.start) - belowMillisecond(of.start);
}

function belowMillisecond(iso) {
  const fraction = /\.(\d+)/.exec(iso);
  return fraction ? Number(fraction[1].padEnd(9, "0").slice(3, 9)) : 0;
}

function bar(line, scale) {
  const kind = line.shape === "gap" ? "gap" : "seg " + tone(line.status, line.open) + (line.inner ? " inner" : "");
  const e = place(el("span", {class: kind + (line.open ? " growing" : "")}), line.from / scale, line.to / scale);
  e.style.left = "min(" + e.style.left + ", 100% - 3px)"; // even the shortest one is seen at the very end
  return e;
}

// miniature draws the attempts and waits of a call in one line.
function miniature(call) {
  const scale = Math.max(1, call.duration_ns);
  const own = linesOf(call).filter(l => l.depth === 0);
  const plain = own.length === 1 && own[0].status === "OK"; // nothing to tell, so it stays in the background
  const track = el("span", {class: plain ? "mini plain" : "mini", "aria-hidden": "true"});
  track.append(...own.map(l => bar(l, scale)));
  return track;
}
