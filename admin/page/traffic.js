// The traffic of the last minutes: a strip for each method, and the endpoints that attempts reached.

function trafficOf(traffic) {
  const blocks = [];
  if (traffic.methods.length) {
    blocks.push(el("div", {class: "block"}, el("h2", {}, "Methods, in the last " + traffic.window_ns / 1e9 + " s"),
      tableOf("traffic", ["method", "", "calls", "failed", "on average", "95 % within"], traffic.methods.map(m => stripOf(m, traffic.interval_ns)))));
  }
  if (traffic.endpoints.length) {
    blocks.push(el("div", {class: "block"}, el("h2", {}, "Endpoints, in the last " + plural(traffic.kept, "attempt") + " that are kept"),
      tableOf("traffic", ["endpoint", "attempts", "failed", "on average", "at most"], traffic.endpoints.map(e => rowOfCells(e.failed, [
        ["endpoint", e.endpoint], ["attempts", String(e.attempts)], ["failed", share(e.failed)], ["on average", duration(e.mean_ns)], ["at most", duration(e.longest_ns)]])))));
  }
  return blocks;
}

function tableOf(kind, columns, rows) {
  return el("table", {class: kind}, el("thead", {}, el("tr", {}, ...columns.map(c => el("th", {scope: "col"}, c)))), el("tbody", {}, ...rows));
}

const share = part => part === 0 ? "0 %" : part < 0.001 ? "< 0.1 %" : trimmed(100 * part, 1) + " %";

const grade = failed => failed === null ? "" : failed === 0 ? "good" : failed < 0.05 ? "warning" : "bad";

function rowOfCells(failed, cells) {
  return el("tr", {class: grade(failed)}, ...cells.map(([column, cell]) => el("td", {"data-column": column}, cell)));
}

function stripOf(m, interval) {
  const [owner, name] = splitMethod(m.method);
  const way = m.target ? "out, to " + m.target : "in";
  return rowOfCells(m.calls ? m.failed : null, [
    ["method", el("span", {title: m.method}, el("span", {class: "owner"}, owner), name, el("span", {class: "more-about"}, way))],
    ["", curve(m, interval)],
    ["calls", perTime(m.rate)],
    ["failed", m.calls ? share(m.failed) : ""],
    ["on average", m.calls ? duration(m.mean_ns) : ""],
    ["95 % within", m.within_ns ? duration(m.within_ns) : m.calls ? "longer" : ""],
  ]);
}

const perTime = rate => rate === 0 ? "0/s" : rate < 1 ? trimmed(60 * rate, 1) + "/min" : trimmed(rate, rate < 10 ? 1 : 0) + "/s";

// curve draws the calls of each interval as an area, and the failed ones over it.
function curve(m, interval) {
  const most = Math.max(...m.rates, 0.001);
  const step = 120 / Math.max(1, m.rates.length - 1);
  const area = values => {
    const points = values.map((v, i) => (i * step).toFixed(1) + "," + (24 - 22 * v / most).toFixed(1));
    if (points.length === 1) points.push("120," + points[0].split(",")[1]);
    return "M0,24L" + points.join("L") + "L120,24Z";
  };
  const words = perTime(m.rates[m.rates.length - 1]) + " now, at most " + perTime(most) + " in the last " + duration(m.rates.length * interval);
  return svg("svg", {class: "curve", viewBox: "0 0 120 24", preserveAspectRatio: "none", role: "img", "aria-label": words},
    svg("path", {class: "all", d: area(m.rates)}), svg("path", {class: "failing", d: area(m.errors)}));
}
