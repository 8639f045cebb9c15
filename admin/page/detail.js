// One call, opened. The list holds calls in brief; the rest is fetched by trace.

const selected = {trace: "", span: "", key: "", call: null, siblings: [], missing: "", unfolded: new Set()};

async function open(trace, span) {
  if (trace !== selected.trace || span !== selected.span) Object.assign(selected, {trace, span, key: trace + span, call: null, siblings: [], missing: "", unfolded: new Set()});
  const response = await fetch("/calls/" + encodeURIComponent(trace)).catch(() => null);
  if (trace !== selected.trace || span !== selected.span) return; // another one was opened meanwhile
  if (!response || !response.ok) {
    selected.missing = response ? "This call is not kept. It may have made room for newer ones." : "The service does not answer.";
    selected.call = store.calls.get(selected.key) || null;
  } else {
    const {calls} = await response.json();
    if (trace !== selected.trace || span !== selected.span) return;
    for (const c of calls) c.received = performance.now();
    selected.missing = "";
    selected.siblings = calls;
    selected.call = calls.find(c => c.span_id === span) || calls[0];
    selected.key = keyOf(selected.call);
  }
  draw();
}

function close() {
  Object.assign(selected, {trace: "", span: "", key: "", call: null, missing: ""});
}

function drawDetail() {
  const pane = byID("detail");
  pane.hidden = !selected.trace;
  document.body.classList.toggle("reading", Boolean(selected.trace));
  if (pane.hidden) return;
  const call = selected.call && (selected.call.open ? aged(selected.call) : selected.call);
  const back = el("a", {class: "close", href: "#calls", "aria-label": "Close", title: "Close (esc)"}, "×");
  if (!call) {
    pane.replaceChildren(back, el("p", {class: "empty"}, selected.missing || "Loading…"));
    return;
  }
  const [owner, name] = splitMethod(call.method);
  const sentence = story(call);
  pane.replaceChildren(...[
    back,
    el("h2", {}, el("span", {class: "owner"}, owner), name),
    el("p", {class: "verdict"},
      el("span", {class: "pill " + tone(call.status, call.open)}, statusText(call.status, call.open)),
      el("span", {class: "took"}, duration(call.duration_ns, call.open)),
      call.deadline_ns ? el("span", {class: "aside"}, "of " + duration(call.deadline_ns)) : "",
      call.attempt_count > 0 ? el("span", {class: "aside"}, plural(call.attempt_count, "attempt")) : "",
      call.direction === "incoming" ? el("span", {class: "aside"}, "served" + (call.peer ? " for " + call.peer : "")) : ""),
    call.message ? el("p", {class: "message"}, call.message) : "",
    sentence ? el("p", {class: "story " + tone(call.status, call.open)}, sentence) : "",
    selected.missing ? el("p", {class: "story calm"}, selected.missing) : "",
    waterfall(call),
    el("p", {class: "actions"},
      copyButton("Copy link", () => location.origin + "/" + hashOf(call)),
      copyButton("Copy as text", async () => (await fetch("/calls/" + call.trace_id + "?format=text")).text()),
      el("a", {class: "quiet", href: "/calls/" + call.trace_id, target: "_blank", rel: "noreferrer"}, "JSON")),
    facts([["trace", call.trace_id], ["began", call.start], ["outcome", call.outcome], ["stop reason", call.stop_reason],
      ...(call.attributes || []).map(a => [a.key, a.value]), ["left out", call.left_out && plural(call.left_out, "value")]]),
    events(call),
    siblings(call),
  ].filter(Boolean));
}

function waterfall(call) {
  const lines = linesOf(call);
  let scale = Math.max(1, call.duration_ns, ...lines.map(l => l.to));
  const near = call.deadline_ns && (call.deadline_ns <= 2 * call.duration_ns || call.stop_reason === "deadline");
  if (near) scale = Math.max(scale, call.deadline_ns);
  const longest = texts => Math.max(0, ...texts.map(t => t.length));
  const chart = el("div", {class: "chart"}, axis(scale), ...lines.map(l => lineOf(l, scale)));
  const label = longest(lines.map(l => l.label + (l.note && " " + l.note) + " ".repeat(2 * l.depth)));
  chart.style.setProperty("--label", "calc(" + Math.min(label, 34) + " * 7.3px + 26px)");
  chart.style.setProperty("--state", Math.min(19, longest(lines.map(l => l.shape === "gap" ? "" : statusText(l.status, l.open)))) * 7.3 + "px");
  if (near) chart.append(el("div", {class: "overlay", "aria-hidden": "true"}, el("div", {class: "span"}, deadlineMark(call.deadline_ns, scale))));
  return chart;
}

function deadlineMark(deadline, scale) {
  const share = deadline / scale;
  return place(el("span", {class: "deadline" + (share > 0.5 ? " late" : "")}, el("span", {}, "deadline " + duration(deadline))), share, share);
}

function axis(scale) {
  const row = el("div", {class: "axis", "aria-hidden": "true"}, el("span", {class: "span"}));
  const step = niceStep(scale / 4);
  for (let at = 0; at <= scale; at += step) row.firstChild.append(place(el("span", {class: "tick"}, duration(at)), at / scale, at / scale));
  return row;
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map(n => n * power).find(n => n >= least);
}

function lineOf(line, scale) {
  const unfolded = selected.unfolded.has(line.id);
  const known = line.facts.filter(([, value]) => value);
  const head = el("button", {type: "button", class: "line " + line.shape, "aria-expanded": String(unfolded), onclick: () => {
    if (!selected.unfolded.delete(line.id)) selected.unfolded.add(line.id);
    draw();
  }},
    el("span", {class: "label"}, el("span", {class: "number"}, line.number ? String(line.number) : ""), el("span", {class: "text"}, line.label), line.note ? el("span", {class: "note"}, line.note) : ""),
    el("span", {class: "state " + (line.shape === "gap" ? "" : tone(line.status, line.open))}, line.shape === "gap" ? "" : statusText(line.status, line.open)),
    el("span", {class: "span"}, bar(line, scale)),
    el("span", {class: "took"}, duration(line.to - line.from, line.open)));
  head.firstChild.style.paddingLeft = line.depth * 14 + "px";
  return el("div", {class: "entry"}, head, unfolded ? facts(known) : "");
}

function facts(list) {
  const known = list.filter(([, value]) => value);
  return known.length ? el("dl", {class: "facts"}, ...known.map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, value)))) : "";
}

function events(call) {
  if (!call.events) return "";
  return el("div", {class: "block"}, el("h3", {}, "Events"), el("dl", {class: "facts"}, ...call.events.map(e => el("div", {},
    el("dt", {}, "+" + duration(e.offset_ns) + " " + e.name),
    el("dd", {}, (e.attributes || []).map(a => a.key + " " + a.value).join(", "))))));
}

function siblings(call) {
  const others = selected.siblings.filter(c => c.span_id !== call.span_id);
  if (!others.length) return "";
  return el("div", {class: "block"}, el("h3", {}, "Other calls of this trace"), el("ul", {}, ...others.map(c => el("li", {},
    el("a", {href: hashOf(c)}, shortMethod(c.method)), " ", el("span", {class: "state " + tone(c.status, c.open)}, statusText(c.status, c.open)), " ", duration(c.duration_ns, c.open)))));
}
