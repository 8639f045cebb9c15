// The tables about the service, and its setup.

const levels = ["DEBUG", "INFO", "WARN", "ERROR"];

async function drawStatus() {
  const response = await fetch("/status").catch(() => null);
  if (!response || !response.ok || view !== "status") return;
  const status = await response.json();
  byID("status").replaceChildren(...status.sections.map(sectionOf), ...[status.log_level ? logLevelOf(status.log_level) : "", linksOf(status.links || [])].filter(Boolean));
}

function sectionOf(section) {
  const columns = section.columns || [];
  const body = section.rows.map(row => el("tr", {class: row.state}, ...(row.cells || []).map((cell, i) => el("td", {"data-column": columns[i]}, cell))));
  const head = columns.some(Boolean) ? el("thead", {}, el("tr", {}, ...columns.map(c => el("th", {scope: "col"}, c)))) : "";
  return el("div", {class: "block"}, el("h2", {}, section.title),
    body.length ? el("table", {class: head ? "" : "pairs"}, head, el("tbody", {}, ...body)) : el("p", {class: "none"}, section.empty || "Nothing here."));
}

function logLevelOf(level) {
  const names = levels.includes(level) ? levels : [level, ...levels];
  return el("div", {class: "block"}, el("h2", {}, "Log level"), el("div", {class: "chips", role: "radiogroup", "aria-label": "Log level"},
    ...names.map(name => el("button", {type: "button", class: "chip", role: "radio", "aria-checked": String(name === level), onclick: async () => {
      await fetch("/loglevel", {method: "POST", body: new URLSearchParams({level: name})}).catch(() => null);
      drawStatus();
    }}, name))));
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
