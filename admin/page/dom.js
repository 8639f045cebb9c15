// Elements. Whatever comes from a call passes through textContent only.

const byID = id => document.getElementById(id);

function el(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === false) continue;
    if (name === "class") e.className = value;
    else if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else e.setAttribute(name, value === true ? "" : value);
  }
  e.append(...children.filter(c => c !== undefined && c !== ""));
  return e;
}

function svg(tag, attributes, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

// radio makes a button of a radiogroup. Only the chosen one takes part in the order of Tab; arrow keys move within the group.
function radio(chosen, attributes, ...children) {
  const e = el("button", {...attributes, type: "button", role: "radio"}, ...children);
  check(e, chosen);
  return e;
}

function check(radio, chosen) {
  radio.setAttribute("aria-checked", String(chosen));
  radio.tabIndex = chosen ? 0 : -1;
}

// choose moves within a radiogroup as its keys demand, and chooses. It reports whether the key was one of them.
function choose(radio, key) {
  const group = [...radio.parentElement.children];
  const at = group.indexOf(radio);
  const to = {ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: -1}[key];
  if (to === undefined) return false;
  const next = group.at(to % group.length);
  next.focus();
  next.click();
  return true;
}

// update makes the children of an element those of another one, and leaves what is equal in place, so that selection, focus
// and scroll position survive.
function update(e, children) {
  morph(e, el("div", {}, ...children), false);
}

function morph(e, wanted, itself = true) {
  if (itself) {
    for (const {name} of [...e.attributes]) if (!wanted.hasAttribute(name)) e.removeAttribute(name);
    for (const {name, value} of wanted.attributes) if (e.getAttribute(name) !== value) e.setAttribute(name, value);
  }
  const is = [...e.childNodes];
  const children = [...wanted.childNodes];
  children.forEach((child, i) => {
    const old = is[i];
    if (!old) e.append(child);
    else if (old.nodeName !== child.nodeName) old.replaceWith(child);
    else if (old.nodeType !== Node.TEXT_NODE) morph(old, child);
    else if (old.data !== child.data) old.data = child.data;
  });
  for (const spare of is.slice(children.length)) spare.remove();
}

// place puts an element along a timeline; from and to are shares of it.
function place(e, from, to) {
  const at = Math.min(1, Math.max(0, from));
  e.style.left = 100 * at + "%";
  e.style.width = 100 * Math.max(0, Math.min(1, to) - at) + "%";
  return e;
}

// arrange makes the children of a list the given elements, and leaves those in place that stay, so that focus and scroll
// position survive.
function arrange(list, wanted) {
  const stay = new Set(wanted);
  for (const child of [...list.children]) if (!stay.has(child)) child.remove();
  let cursor = list.firstChild;
  for (const child of wanted) {
    if (child === cursor) cursor = cursor.nextSibling;
    else list.insertBefore(child, cursor);
  }
}

function copyButton(label, text) {
  const button = el("button", {type: "button", class: "quiet"}, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(await text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Could not copy";
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  });
  return button;
}
