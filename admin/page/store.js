// The calls that the page knows, and which of them it shows.

const store = {
  calls: new Map(),
  held: new Map(), // arrived while paused
  size: 1000,
  instance: "",
  sequence: 0,
  paused: false,
  filter: "",
  kind: "all",
  outcome: "",
  order: "newest",
};

const kinds = {
  all: {label: "All", is: () => true},
  failed: {label: "Failed", is: c => !c.open && c.status !== "OK"},
  retried: {label: "Retried", is: c => c.most > 1},
  open: {label: "In flight", is: c => Boolean(c.open)},
};

const keyOf = call => call.trace_id + call.span_id;

function receive(calls) {
  const into = store.paused ? store.held : store.calls;
  for (const call of calls) {
    const known = store.calls.get(keyOf(call)) || store.held.get(keyOf(call));
    call.sequence = known ? known.sequence : store.sequence++;
    call.received = performance.now();
    call.began = Date.parse(call.start);
    call.words = words(call).join(" ").toLowerCase();
    call.most = mostAttempts(call);
    into.set(keyOf(call), call);
  }
  forget(into);
}

function resume() {
  for (const [key, call] of store.held) store.calls.set(key, call);
  store.held.clear();
  forget(store.calls);
}

// forget drops the oldest calls beyond what the service itself keeps, like it those last that are still open. A Map is in
// the order in which its keys came.
function forget(calls) {
  for (const spare of [call => call.open, () => false]) {
    for (const [key, call] of calls) {
      if (calls.size <= store.size) return;
      if (!spare(call)) calls.delete(key);
    }
  }
}

// mostAttempts is how many attempts the call took, or a call that it led to, if that took more.
function mostAttempts(call) {
  const below = [...(call.calls || []), ...(call.attempts || []).flatMap(a => a.calls || [])];
  return Math.max(call.attempt_count, ...below.map(mostAttempts));
}

function words(call) {
  const list = [call.method, statusText(call.status, call.open), call.message, call.outcome, call.stop_reason, call.trace_id, call.direction, call.peer];
  for (const a of call.attempts || []) {
    list.push(a.endpoint, a.status, a.message);
    for (const c of a.calls || []) list.push(...words(c));
  }
  for (const c of call.calls || []) list.push(...words(c));
  return list.filter(Boolean);
}

const orders = {
  newest: (a, b) => b.sequence - a.sequence,
  slowest: (a, b) => b.duration_ns - a.duration_ns || b.sequence - a.sequence,
  attempts: (a, b) => b.most - a.most || b.sequence - a.sequence,
};

const units = {"": 1e6, "µs": 1e3, us: 1e3, ms: 1e6, s: 1e9, m: 60e9};

const signs = {">": (a, b) => a > b, "<": (a, b) => a < b, ">=": (a, b) => a >= b, "<=": (a, b) => a <= b, "=": (a, b) => a === b};

// fields are what a filter can compare: the form of a value, its value, and what the call has.
const fields = {
  attempts: {form: /^\d+$/, read: Number, of: call => call.most, want: "a number: attempts>2"},
  took: {form: /^\d+(\.\d+)?(µs|us|ms|s|m)?$/, read: text => parseFloat(text) * units[text.replace(/[\d.]/g, "")], of: call => call.duration_ns, want: "a time: took>50ms"},
};

// question makes one word of the filter a test of a call: attempts>2, took>50ms, or a text that must be there. A word that
// looks like a comparison and is none is a text, too, and has a hint.
function question(word) {
  const text = {test: call => call.words.includes(word)};
  const [, name, sign, value] = /^([a-z_]+)([<>=!:~]+)(.*)$/.exec(word) || [];
  if (!name || /^:\d*$/.test(sign + value)) return text; // localhost:8443 is a text
  const field = fields[name];
  if (!field) return {...text, hint: "“" + word + "” is searched as text: only attempts and took can be compared. A word alone, such as UNAVAILABLE, finds it anywhere."};
  if (!signs[sign]) return {...text, hint: "“" + sign + "” compares nothing: use > < >= <= or =."};
  if (!field.form.test(value)) return {...text, hint: "“" + word + "”: " + name + " is compared with " + field.want + "."};
  const bound = field.read(value);
  return {test: call => signs[sign](field.of(call), bound)};
}

// shown returns the calls to show, in order, how many there are of each kind, and what is wrong with the filter.
function shown() {
  const questions = store.filter.toLowerCase().split(/\s+/).filter(Boolean).map(question);
  const tests = questions.map(q => q.test);
  if (store.outcome) tests.push(call => call.outcome === store.outcome);
  const counts = {all: 0, failed: 0, retried: 0, open: 0};
  const calls = [];
  for (const call of store.calls.values()) {
    if (!tests.every(t => t(call))) continue;
    for (const kind in kinds) if (kinds[kind].is(call)) counts[kind]++;
    if (kinds[store.kind].is(call)) calls.push(call);
  }
  return {calls: calls.sort(orders[store.order]), counts, hint: questions.map(q => q.hint).find(Boolean) || ""};
}

// aged returns an open call as it is by now: what is open has grown since it was received.
function aged(call, received = call.received) {
  const grown = (performance.now() - received) * 1e6;
  const older = x => x.open ? {...x, duration_ns: x.duration_ns + grown} : x;
  const inner = calls => calls && calls.map(c => aged(c, received));
  return {
    ...older(call),
    attempts: call.attempts && call.attempts.map(a => ({...older(a), calls: inner(a.calls)})),
    waits: call.waits && call.waits.map(older),
    calls: inner(call.calls),
  };
}
