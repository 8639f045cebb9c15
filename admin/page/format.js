// Texts. All times are nanoseconds unless they say otherwise.

function duration(ns, open) {
  const ms = Math.max(0, ns) / 1e6;
  let text;
  if (ms === 0) text = "0";
  else if (ms < 1) text = Math.round(ms * 1000) + "µs";
  else if (ms < 10) text = trimmed(ms, 1) + "ms";
  else if (ms < 1000) text = Math.round(ms) + "ms";
  else if (ms < 10e3) text = trimmed(ms / 1000, 2) + "s";
  else if (ms < 60e3) text = trimmed(ms / 1000, 1) + "s";
  else if (ms < 3600e3) text = Math.floor(ms / 60e3) + "m" + Math.floor(ms % 60e3 / 1000) + "s";
  else text = Math.floor(ms / 3600e3) + "h" + Math.floor(ms % 3600e3 / 60e3) + "m";
  return open ? text + "…" : text;
}

const trimmed = (number, decimals) => String(Number(number.toFixed(decimals)));

const clockFormat = new Intl.DateTimeFormat(undefined, {hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23"});

function clock(iso) {
  const date = new Date(iso);
  return clockFormat.format(date) + "." + String(date.getMilliseconds()).padStart(3, "0");
}

// splitMethod parts "shop.payments.v1.PaymentsService/GetQuote" before the name of the service.
function splitMethod(method) {
  const slash = method.indexOf("/");
  const dot = method.lastIndexOf(".", slash < 0 ? method.length : slash);
  return [method.slice(0, dot + 1), method.slice(dot + 1)];
}

const shortMethod = method => splitMethod(method)[1];

// tone is the class that colours a status.
function tone(status, open) {
  if (open) return "open";
  if (status === "OK") return "ok";
  return status === "CANCELLED" ? "calm" : "bad";
}

const statusText = (status, open) => open ? "in flight" : status || "";

const plural = (n, word) => n + " " + word + (n === 1 ? "" : "s");

// story says in one sentence what became of a call; "" when its status says it all.
function story(call) {
  if (call.open) return "";
  if (call.explanation) return "Not tried again: " + call.explanation + ".";
  if (call.outcome === "recovered" && call.attempts) {
    const causes = [...new Set(call.attempts.filter(a => tone(a.status, a.open) === "bad").map(a => a.status))];
    if (causes.length) return "Recovered on attempt " + Math.max(...call.attempts.map(a => a.number)) + ", after " + causes.join(" and ") + ".";
  }
  if (call.direction === "incoming" && call.number > 1) return "This was attempt " + call.number + " of the caller.";
  return "";
}
