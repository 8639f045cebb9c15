// The tables about the service, and its setup.

const levels = ["DEBUG", "INFO", "WARN", "ERROR"];

async function drawStatus() {
  const [response, counted] = await Promise.all([fetch("/status").catch(() => null), fetch("/traffic").catch(() => null)]);
  if (!response || !response.ok || !counted || !counted.ok || view !== "status") return;
  const [status, traffic] = await Promise.all([response.json(), counted.json()]);
  const charts = status.charts || [];
  const abouts = [...new Set(charts.map(c => c.about))];
  update(byID("status"), [...trafficOf(traffic), ...abouts.map(about => chartsOf(about, charts.filter(c => c.about === about))), ...status.sections.map(sectionOf), ...(status.switches || []).map(switchOf), ...[status.log_level ? logLevelOf(status.log_level) : "", linksOf(status.links || [])].filter(Boolean)]);
}

function sectionOf(section) {
  if (!(section.columns || []).some(Boolean)) return tilesOf(section);
  const columns = section.columns || [];
  const body = section.rows.map(row => el("tr", {class: row.state}, ...(row.cells || []).map((cell, i) => el("td", {"data-column": columns[i]}, cell))));
  const head = el("thead", {}, el("tr", {}, ...columns.map(c => el("th", {scope: "col"}, c))));
  return el("div", {class: "block"}, el("h2", {}, section.title),
    body.length ? el("table", {}, head, el("tbody", {}, ...body)) : el("p", {class: "none"}, section.empty || "Nothing here."));
}

// tilesOf shows a section without headings: names and values.
function tilesOf(section) {
  return el("div", {class: "block"}, el("h2", {}, section.title),
    el("dl", {class: "tiles"}, ...section.rows.map(row => el("div", {}, el("dt", {}, row.cells[0]), el("dd", {}, row.cells[1])))));
}

function chartsOf(about, charts) {
  return el("div", {class: "block"}, el("h2", {}, about), el("div", {class: "charts"}, ...charts.map(chartOf)));
}

// chartOf draws values against the scale from 0 to their maximum; what fills the most room is what is left.
function chartOf(chart) {
  const now = chart.values[chart.values.length - 1];
  const last = Math.max(1, chart.values.length - 1);
  const points = chart.values.map((v, i) => [300 * i / last, 56 - 52 * Math.min(1, v / chart.max)].map(n => n.toFixed(1)).join(","));
  if (points.length === 1) points.push("300," + points[0].split(",")[1]);
  const least = Math.min(...chart.values);
  const span = duration(last * chart.interval_ns);
  return el("figure", {class: "sparkline " + (now < 1 ? "bad" : "")},
    el("figcaption", {}, el("strong", {title: chart.title}, chart.title), el("span", {}, trimmed(now, 1) + " of " + trimmed(chart.max, 1))),
    svg("svg", {viewBox: "0 0 300 60", preserveAspectRatio: "none", role: "img", "aria-label": chart.title + ": " + trimmed(now, 1) + " of " + trimmed(chart.max, 1) + ", at least " + trimmed(least, 1) + " in the last " + span},
      svg("path", {class: "area", d: "M0,60L" + points.join("L") + "L300,60Z"}), svg("path", {class: "edge", d: "M" + points.join("L")})),
    el("small", {}, el("span", {}, span + " ago"), el("span", {}, "least " + trimmed(least, 1)), el("span", {}, "now")));
}

function logLevelOf(level) {
  const names = levels.includes(level) ? levels : [level, ...levels];
  return el("div", {class: "block"}, el("h2", {}, "Log level"), el("div", {class: "chips", role: "radiogroup", "aria-label": "Log level"},
    ...names.map(name => radio(name === level, {class: "chip", onclick: event => change("/loglevel", {level: event.currentTarget.textContent})}, name))));
}

function switchOf(s) {
  const chip = (on, text) => radio(on === s.on, {class: "chip", onclick: () => change("/switches", {title: s.title, on})}, text);
  return el("div", {class: "block"}, el("h2", {}, s.title), s.about ? el("p", {class: "none"}, s.about) : "",
    el("div", {class: "chips", role: "radiogroup", "aria-label": s.title}, chip(true, "On"), chip(false, "Off")));
}

async function change(path, fields) {
  await fetch(path, {method: "POST", body: new URLSearchParams(fields)}).catch(() => null);
  drawStatus();
}

function linksOf(mounts) {
  const pages = [{title: "Profiles", path: "/debug/pprof/"}, {title: "Goroutines", path: "/debug/pprof/goroutine?debug=2"}, {title: "Calls as text", path: "/calls?format=text"}, ...mounts];
  return el("div", {class: "block"}, el("h2", {}, "More"), el("ul", {class: "links"}, ...pages.map(p => el("li", {}, el("a", {href: p.path}, p.title), " ", el("code", {}, p.path)))));
}

async function drawDescription() {
  const response = await fetch("/describe").catch(() => null);
  if (view !== "describe") return;
  const text = response ? await response.text() : "The service does not answer.";
  byID("describe").replaceChildren(el("pre", {class: response && response.ok ? "" : "none"}, text));
}
