// The effective policy of every method, each value with where it was stated.

let policies = [];

async function drawPolicy() {
  const response = await fetch("/policies").catch(() => null);
  if (view !== "policy") return;
  policies = response && response.ok ? (await response.json()).policies : [];
  offer();
  showPolicies();
}

function showPolicies() {
  const words = byID("policy-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = policies.filter(p => {
    const text = [p.method, p.kind, p.problem || "", ...p.values.flatMap(v => [v.name, v.value, v.source])].join(" ").toLowerCase();
    return words.every(w => text.includes(w));
  });
  const services = new Map();
  for (const p of wanted) {
    const service = p.method.split("/")[0];
    services.set(service, [...(services.get(service) || []), p]);
  }
  const empty = policies.length ? "No method matches." : "This service neither serves a method nor links one about which a policy says anything.";
  byID("policies").replaceChildren(...[...services].map(([name, methods]) => serviceOf(name, methods)), ...(wanted.length ? [] : [el("p", {class: "empty"}, empty)]));
}

function serviceOf(name, methods) {
  const dot = name.lastIndexOf(".") + 1;
  return el("div", {class: "block"}, el("h2", {}, el("span", {class: "owner"}, name.slice(0, dot)), name.slice(dot)), el("div", {class: "cards"}, ...methods.map(policyOf)));
}

function policyOf(policy) {
  return el("section", {class: "card"},
    el("h3", {}, policy.method.split("/")[1], " ", el("span", {class: "aside"}, policy.kind)),
    policy.problem ? el("p", {class: "story bad"}, policy.problem) : "",
    policy.values.length ? el("dl", {class: "terms"}, ...policy.values.map(termOf)) : el("p", {class: "none"}, "Nothing is stated; the defaults hold."));
}

function termOf(value) {
  return el("div", {}, el("dt", {}, value.name), el("dd", {}, value.value), el("dd", {}, sourceOf(value.source)));
}
