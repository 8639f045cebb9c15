// The recent refusals: who was refused, when, and why.

let refusals = null;

async function drawRefusals() {
  const response = await fetch("/refusals").catch(() => null);
  if (view !== "refusals") return;
  if (response && response.ok) refusals = (await response.json()).refusals;
  showRefusals();
}

function showRefusals() {
  const words = byID("refusal-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = (refusals || []).filter(r => {
    const text = Object.values(r).join(" ").toLowerCase();
    return words.every(w => text.includes(w));
  });
  const columns = ["last", "what", "who", "method", "reason", "cause"];
  const head = el("thead", {}, el("tr", {}, ...columns.map(c => el("th", {scope: "col"}, c))));
  let nothing = "Nothing was refused.";
  if (refusals === null) nothing = "The service does not answer.";
  else if (refusals.length) nothing = "No refusal matches, of " + refusals.length + ".";
  update(byID("refusal-list"), [wanted.length ? el("table", {class: "refusals"}, head, el("tbody", {}, ...wanted.map(refusalOf))) : el("p", {class: "empty"}, nothing)]);
}

function refusalOf(r) {
  const cell = (column, ...children) => el("td", {"data-column": column}, el("div", {}, ...children.filter(Boolean)));
  const more = text => text && el("span", {class: "more-about"}, text);
  return el("tr", {class: r.of === "trial" ? "warning" : "bad"},
    cell("last", clock(r.last), r.times > 1 && more(r.times + " times since " + clock(r.first))),
    cell("what", r.of === "trial" ? "on trial" : r.of),
    cell("who", r.peer || "unproven", r.user && more("user " + r.user), more(r.address), more(r.agent)),
    cell("method", shortMethod(r.method || "")),
    cell("reason", r.reason),
    cell("cause", r.cause || "", r.decided && more("by " + r.decided)));
}
