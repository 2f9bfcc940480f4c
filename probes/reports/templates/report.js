"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
let chosenK = data.k;
const omitted = new Set(); // Names of the series that are left out.
const SVG = "http://www.w3.org/2000/svg";
const NEAR = 14; // Maximum distance to a point that counts as hit, in units of the plot.
const make = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};
const button = (label, act) => {
  const node = make("button", { type: "button" }, label);
  node.addEventListener("click", () => act(node));
  return node;
};
const said = make("div", { role: "status", class: "said" });
document.body.append(said);
const percent = (share) => (share === null ? "?" : `${(100 * share).toFixed(1)} %`);

// Copying and downloading.
const tell = (node, text) => {
  const before = node.dataset.label || node.textContent;
  node.dataset.label = before;
  node.textContent = said.textContent = text;
  setTimeout(() => { node.textContent = before; }, 1500);
};
const copyBehind = (text) => {
  const area = make("textarea", { class: "away" });
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  return isDone;
};
const copy = async (node, text) => {
  let isDone = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    isDone = copyBehind(text); // An untrusted page cannot access the clipboard.
  }
  tell(node, isDone ? "copied" : "not copied");
};
const download = (name, blob) => {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

// Tables can be sorted, searched and copied; rows with few images are collapsed.
const cellsOf = (row) => [...row.cells].map((cell) => cell.innerText.trim());
const toCsv = (rows) =>
  rows.map((row) => row.map((cell) => (/[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",")).join("\n") + "\n";
const LATEX = { "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" };
const escapeLatex = (text) => text.replace(/[\\{}~^$&#_%]/g, (char) => LATEX[char] || `\\${char}`);
const toLatex = ([head, ...rows]) => {
  const line = (row) => `  ${row.map(escapeLatex).join(" & ")} \\\\`;
  const columns = "l" + "r".repeat(head.length - 1);
  return [`\\begin{tabular}{${columns}}`, "  \\toprule", line(head), "  \\midrule", ...rows.map(line), "  \\bottomrule", "\\end{tabular}", ""].join("\n");
};
const toNumber = (text) => {
  const found = /^[+-]?[\d,]*\.?\d+(?:e[+-]?\d+)?/i.exec(text.replace("−", "-"));
  return found ? Number(found[0].replaceAll(",", "")) : null;
};
const compareCells = (a, b) => {
  if (!a || !b) return a ? -1 : b ? 1 : 0; // Empty cells come last in either order.
  const [x, y] = [toNumber(a), toNumber(b)];
  return x !== null && y !== null && x !== y ? x - y : a.localeCompare(b, "en", { numeric: true });
};
const equip = (table) => {
  const [head, ...rows] = table.rows;
  if (!rows.length) return;
  const box = table.closest(".scroll");
  const fit = () => {
    table.classList.remove("dense", "cards");
    for (const name of ["dense", "cards"])
      if (box && table.offsetWidth > box.clientWidth) table.classList.add(name);
  };
  addEventListener("resize", fit);
  const names = [...head.cells].map((cell) => cell.textContent);
  for (const row of rows) [...row.cells].forEach((cell, place) => { cell.dataset.name = names[place]; });
  let isOpen = false, wanted = "";
  const show = () => {
    for (const row of rows)
      row.hidden = (!isOpen && row.classList.contains("few")) || !row.innerText.toLowerCase().includes(wanted);
  };
  const shown = () => [...table.rows].filter((row) => !row.hidden).map(cellsOf);
  const tools = make("div", { class: "tools" });
  if (rows.length > 8) {
    const search = make("input", { type: "search", placeholder: "search", "aria-label": "search this table" });
    search.addEventListener("input", () => {
      wanted = search.value.toLowerCase();
      // Hidden rows have no text to search.
      for (const row of rows) row.hidden = false;
      show();
    });
    tools.append(search);
  }
  tools.append(button("CSV", (node) => copy(node, toCsv(shown()))), button("LaTeX", (node) => copy(node, toLatex(shown()))));
  const nFew = rows.filter((row) => row.classList.contains("few")).length;
  if (nFew) {
    const label = `${nFew} of fewer than ${data.few}`;
    const fold = button(`show ${label}`, () => {
      isOpen = !isOpen;
      fold.textContent = `${isOpen ? "hide" : "show"} ${label}`;
      fold.setAttribute("aria-expanded", isOpen);
      show();
    });
    fold.className = "fold";
    tools.append(fold);
  }
  [...head.cells].forEach((cell, place) => {
    const sort = button(cell.textContent, () => {
      const isRising = cell.getAttribute("aria-sort") !== "ascending";
      for (const other of head.cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", isRising ? "ascending" : "descending");
      const key = (row) => row.cells[place].textContent.trim();
      rows.sort((a, b) => {
        const order = compareCells(key(a), key(b));
        return isRising || !key(a) || !key(b) ? order : -order;
      });
      rows[0].parentNode.append(...rows);
    });
    cell.replaceChildren(sort);
  });
  (box || table).before(tools);
  show();
  fit();
};
for (const table of document.querySelectorAll("table")) equip(table);

// The dialog for a clicked level: its accuracy and images.
const detail = document.getElementById("detail");
document.getElementById("close").addEventListener("click", () => detail.close());
const describe = ([series, label, n, right, accuracy, low, high, , told]) => {
  if (told.length) return [`${series}: ${label}`, ...told];
  const counts = n === null ? "" : `${right === null ? "" : `${right} correct of `}${n} images`;
  const interval = low === null ? "" : `95 % interval ${percent(low)} to ${percent(high)}`;
  return [`${series}: ${label}`, percent(accuracy), interval, counts].filter(Boolean);
};
const tile = (shot) => {
  const read = shot.right ? "" : ` read as ${shot.guess}`;
  return make("figure", {}, make("img", { src: shot.png, alt: shot.truth }),
    make("figcaption", {}, make("b", {}, shot.truth), read));
};
const open = (title, mark) => {
  const shots = mark[7].map((place) => data.shots[place]);
  const parts = [make("h2", {}, title), make("p", {}, describe(mark).join("; "))];
  for (const [name, isRight] of [["Correct", true], ["Wrong", false]]) {
    const own = shots.filter((shot) => shot.right === isRight);
    if (own.length) parts.push(make("h3", {}, name), make("div", { class: "tiles" }, ...own.map(tile)));
  }
  if (shots.length && chosenK !== data.k) parts.splice(2, 0, make("p", { class: "faint" }, `These images are judged by the choice of 1 of ${data.k}.`));
  if (!shots.length && !mark[8].length) parts.push(make("p", { class: "faint" }, "This page has no images of this level."));
  document.getElementById("about").replaceChildren(...parts);
  detail.showModal();
};

// Plots show the values of a point under the pointer, a table of all points, and downloads.
const tip = make("div", { class: "tip", role: "tooltip", hidden: "" });
document.body.append(tip);
const exportSvg = (svg) => {
  const copied = svg.cloneNode(true);
  copied.querySelector(".ring")?.remove();
  const [, , width, height] = svg.getAttribute("viewBox").split(" ");
  for (const [name, value] of Object.entries({ xmlns: SVG, width: `${width}pt`, height: `${height}pt` })) copied.setAttribute(name, value);
  const paper = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ width, height, fill: "#ffffff" })) paper.setAttribute(name, value);
  copied.prepend(paper);
  return new XMLSerializer().serializeToString(copied)
    .replaceAll("currentColor", "#000000").replaceAll("currentcolor", "#000000")
    .replaceAll("var(--grid)", "#e6e6e6").replaceAll("var(--faint)", "#777777");
};
const exportPng = (svg, name) => {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const image = new Image(), scale = 3;
  image.addEventListener("load", () => {
    const canvas = make("canvas", { width: Math.round(width * scale), height: Math.round(height * scale) });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => download(name, blob), "image/png");
  });
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(exportSvg(svg))}`;
};
const tabulate = (marks) => {
  const line = (cells, kind) => make("tr", {}, ...cells.map((cell) => make(kind, {}, cell)));
  if (marks.every((mark) => mark[8].length))
    return make("table", {}, line(["series", "condition", "values"], "th"), ...marks.map((mark) => line([mark[0], mark[1], mark[8].join("; ")], "td")));
  const table = make("table", {}, line(["series", "level", "n", "correct", "accuracy", "low", "high"], "th"));
  for (const [series, label, n, right, ...shares] of marks) {
    const row = line([series, label, n ?? "", right ?? "", ...shares.slice(0, 3).map(percent)].map(String), "td");
    if (n !== null && n < data.few && marks.some((mark) => mark[2] >= data.few)) row.className = "few";
    table.append(row);
  }
  return table;
};
const watch = (figure, svg, title, marks) => {
  const points = [];
  for (const [name, own] of Object.entries(marks)) {
    const group = document.getElementById(`${figure.id}-${name}`);
    group?.querySelectorAll("use").forEach((node, place) => {
      if (own[place]) points.push({ node, mark: own[place], group });
    });
  }
  const ring = document.createElementNS(SVG, "circle");
  ring.setAttribute("class", "ring");
  ring.setAttribute("r", 7);
  const find = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    let best = null, least = NEAR ** 2;
    for (const { node, mark, group } of points) {
      const [x, y] = [Number(node.getAttribute("x")), Number(node.getAttribute("y"))];
      const distance = (x - at.x) ** 2 + (y - at.y) ** 2;
      if (distance < least && !group.style.display && !node.style.display) [best, least] = [{ x, y, mark }, distance];
    }
    return best;
  };
  const leave = () => { tip.hidden = true; ring.remove(); svg.style.cursor = ""; };
  svg.addEventListener("pointermove", (event) => {
    const point = find(event);
    if (!point) { leave(); return; }
    ring.setAttribute("cx", point.x);
    ring.setAttribute("cy", point.y);
    svg.append(ring);
    svg.style.cursor = "pointer";
    tip.replaceChildren(...describe(point.mark).map((line) => make("div", {}, line)));
    tip.hidden = false;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, left) + scrollX}px`;
    tip.style.top = `${event.clientY + 16 + scrollY}px`;
  });
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("click", (event) => {
    const point = find(event);
    if (point) { leave(); open(title, point.mark); }
  });
};
for (const figure of document.querySelectorAll("figure.plot")) {
  const svg = figure.querySelector("svg"), name = figure.dataset.name, title = figure.querySelector("figcaption").textContent;
  const marks = data.figures[figure.id] ?? {};
  const tools = make("div", { class: "tools" });
  if (svg) {
    tools.append(
      button("SVG", () => download(`${name}.svg`, new Blob([exportSvg(svg)], { type: "image/svg+xml" }))),
      button("copy SVG", (node) => copy(node, exportSvg(svg))),
      button("PNG", () => exportPng(svg, `${name}.png`)));
    watch(figure, svg, title, marks);
  } else {
    tools.append(button("PNG", async () => {
      const [, content] = figure.querySelector("img").src.split(",");
      download(`${name}.png`, new Blob([Uint8Array.from(atob(content), (char) => char.charCodeAt(0))], { type: "image/png" }));
    }));
  }
  if (Object.values(marks).flat().length) {
    const fold = make("details", { class: "figures" }, make("summary", {}, "as a table"));
    fold.addEventListener("toggle", () => {
      if (!fold.open || fold.querySelector("table")) return;
      const table = tabulate(Object.values(marks).flat().filter((mark) => !omitted.has(mark[0])));
      fold.append(make("div", { class: "scroll" }, table));
      equip(table);
    });
    figure.append(fold);
  }
  figure.append(tools);
}
for (const node of document.querySelectorAll("[data-copy]"))
  node.after(button("copy", (pressed) => copy(pressed, node.textContent)));

// The number of candidates and the series of all plots can be chosen.
const moved = Object.keys(data.others); // The figures that another K changes.
const LOW = -0.02, SPAN = 1.04; // The accuracies that an axis shows.
const drawLine = (svg, id, points) => {
  const path = svg.querySelector(`[id="${id}"] > path`);
  if (path && points.length) path.setAttribute("d", points.map(([x, y], place) => `${place ? "L" : "M"} ${x} ${y}`).join(" "));
};
const drawBand = (band, points) => {
  if (!band) return;
  const old = band.querySelector("path.moved") ?? band.querySelector("use");
  const moved = document.createElementNS(SVG, "path");
  moved.setAttribute("class", "moved");
  moved.setAttribute("style", old.getAttribute("style"));
  moved.setAttribute("d", points.length ? `${points.map(([x, y], place) => `${place ? "L" : "M"} ${x} ${y}`).join(" ")} Z` : "");
  band.replaceChildren(moved);
};
// Each panel of a plot has axes of its own, whose first patch is their background.
const findPanel = (node) => node.closest('[id*="-axes_"]').querySelector('[id*="-patch_"]').getBBox();
const placeAlong = (along, { x, y, width, height }) => (share) =>
  (along === "y" ? y + height * (1 - (share - LOW) / SPAN) : x + width * ((share - LOW) / SPAN));
const moveSeries = (svg, id, along, own) => {
  const group = svg.querySelector(`[id="${id}"]`), place = placeAlong(along, findPanel(group));
  const nodes = group.querySelectorAll("use"), bars = svg.querySelectorAll(`[id^="${id}-bars-"] path`);
  const line = [], upper = [], lower = [];
  nodes.forEach((node, number) => {
    const [, , , , share, low, high] = own[number];
    const isKnown = share !== null;
    node.style.display = isKnown ? "" : "none";
    if (bars[number]) bars[number].style.display = node.style.display;
    if (!isKnown) return;
    node.setAttribute(along, place(share));
    const [x, y] = [node.getAttribute("x"), node.getAttribute("y")], ends = [low ?? share, high ?? share].map(place);
    line.push([x, y]);
    if (along === "y") { lower.push([x, ends[0]]); upper.unshift([x, ends[1]]); }
    else bars[number]?.setAttribute("d", `M ${ends[0]} ${y} L ${ends[1]} ${y}`);
  });
  if (along !== "y") return;
  drawLine(svg, id, line);
  drawBand(svg.querySelector(`[id="${id}-band"]`), [...lower, ...upper]);
};
const moveFigure = (figure, k) => {
  const { along, at, chances } = data.others[figure.id], svg = figure.querySelector("svg");
  for (const [name, own] of Object.entries(data.figures[figure.id])) {
    own.forEach((mark, number) => mark.splice(2, 5, ...at[k][name][number]));
    moveSeries(svg, `${figure.id}-${name}`, along, own);
  }
  for (const line of svg.querySelectorAll(`[id^="${figure.id}-chance"]`)) {
    const { x, y, width, height } = findPanel(line), chance = placeAlong(along, findPanel(line))(chances[k]);
    drawLine(svg, line.id, along === "y" ? [[x, chance], [x + width, chance]] : [[chance, y + height], [chance, y]]);
  }
  // Thresholds are those of one K.
  for (const node of svg.querySelectorAll('[id*="-threshold"]')) node.style.display = k === String(data.k) ? "" : "none";
};
const renewTables = () => {
  for (const fold of document.querySelectorAll("details.figures")) {
    for (const old of [...fold.children].slice(1)) old.remove();
    if (fold.open) fold.dispatchEvent(new Event("toggle"));
  }
};
// A printed page states what was chosen, since it has no controls.
const noteChoice = () => {
  const parts = moved.length ? [`the choice of 1 of ${chosenK.toLocaleString("en")}`] : [];
  if (omitted.size) parts.push(`everything but ${[...omitted].join(", ")}`);
  const note = document.getElementById("chosen");
  if (note) note.textContent = parts.length ? `The plots show ${parts.join(" and ")}.` : "";
};
const showSeries = () => {
  for (const [figure, marks] of Object.entries(data.figures))
    for (const [name, own] of Object.entries(marks)) {
      const id = `${figure}-${name}`, display = omitted.has(own[0]?.[0]) ? "none" : "";
      for (const node of document.querySelectorAll(`[id="${id}"], [id^="${id}-"]`))
        if (!node.id.includes("-threshold") || chosenK === data.k) node.style.display = display;
    }
  renewTables();
  noteChoice();
};
const choices = make("div", { class: "tools" });
if (moved.length) {
  for (const id of moved) {
    const { at } = data.others[id];
    at[data.k] = Object.fromEntries(Object.entries(data.figures[id]).map(([name, own]) => [name, own.map((mark) => mark.slice(2, 7))]));
  }
  const ks = Object.keys(data.others[moved[0]].at).map(Number).sort((a, b) => a - b);
  const select = make("select", {}, ...ks.map((k) => make("option", { value: k, ...(k === data.k ? { selected: "" } : {}) }, `1 of ${k.toLocaleString("en")}`)));
  select.addEventListener("change", () => {
    chosenK = Number(select.value);
    for (const id of moved) moveFigure(document.getElementById(id), select.value);
    showSeries();
  });
  choices.append(make("label", {}, "choice", select));
}
if (data.series.length > 1) {
  const boxes = data.series.map((name) => {
    const box = make("input", { type: "checkbox", checked: "" });
    box.addEventListener("change", () => { omitted[box.checked ? "delete" : "add"](name); showSeries(); });
    choices.append(make("label", {}, box, name));
    return box;
  });
  const setAll = (isShown) => boxes.forEach((box) => { if (box.checked !== isShown) box.click(); });
  if (boxes.length > 2) choices.append(button("all", () => setAll(true)), button("none", () => setAll(false)));
}
if (choices.children.length) document.getElementById("choose")?.append(choices);
noteChoice();
