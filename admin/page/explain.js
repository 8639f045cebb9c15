// The form that explains a decision: who may call a method, and why. It keeps no token.

// offer puts the served methods into the form.
function offer() {
  const served = policies.filter(p => p.kind.endsWith(", served")).map(p => p.method);
  byID("question").hidden = !served.length;
  const select = byID("question-method");
  if (served.join() !== [...select.options].map(o => o.value).join()) {
    select.replaceChildren(...served.map(m => el("option", {value: m}, shortMethod(m))));
  }
}

async function explain(event) {
  event.preventDefault();
  const response = await fetch("/explain", {method: "POST", body: new URLSearchParams(new FormData(event.target))}).catch(() => null);
  let answer;
  if (!response) answer = [problem("The service does not answer.")];
  else if (!response.ok) answer = [problem(await response.text())];
  else answer = decisionOf(await response.json());
  byID("explanation").replaceChildren(...answer);
}

const problem = text => el("p", {class: "story bad"}, text);

function decisionOf(e, trial = false) {
  const verdict = e.allowed ? "allowed" : "refused, " + e.reason + ": " + e.why;
  const steps = (e.steps || []).map(s => el("li", {}, el("span", {class: "asked"}, s.asked), el("span", {}, s.rule ? s.rule + ": " : "", el("strong", {}, s.outcome)), sourceOf(s.source)));
  return [
    el("p", {class: "story " + (e.allowed ? "ok" : "bad")}, (trial ? "On trial: " : "") + verdict),
    steps.length ? el("ol", {class: "steps"}, ...steps) : el("p", {class: "none"}, "No question was asked."),
    ...(e.trial ? decisionOf(e.trial, true) : []),
  ];
}

function sourceOf(source) {
  const [kind, ...place] = source.split(" ");
  return el("span", {class: "source"}, el("span", {class: "from " + kind}, kind), place.join(" "));
}
