"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const make = (name, attributes = {}, ...children) => {
  const svg = ["svg", "polygon", "rect"].includes(name);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};
const format = (value) =>
  typeof value === "number" ? String(Number(value.toPrecision(4))) : value === "" ? "(none)" : String(value);

// What is chosen: for a number its least and greatest value, for a category the values left out.
const ranges = {}, hidden = {};
const N_BINS = 24;

const values = (name) => data.images.map((image) => image.fields[name]);
const isNumber = (name) => values(name).every((value) => typeof value === "number");
const names = Object.keys(data.images[0].fields).filter((name) => new Set(values(name)).size > 1);
const numbers = names.filter(isNumber);
const categories = names.filter((name) => !isNumber(name) && new Set(values(name)).size <= 200);
const count = {};
for (const image of data.images) count[image.text] = (count[image.text] || 0) + 1;

const picture = (image) => {
  const box = make("svg", { viewBox: `0 0 ${image.width} ${image.height}`, "aria-hidden": "true" });
  for (const [kind, polygons] of [["char", image.char_quads], ["word", image.word_polygons]])
    for (const points of polygons) box.append(make("polygon", { class: kind, points: points.join(" ") }));
  const shown = make("img", { src: image.src, width: image.width, height: image.height, alt: image.text, loading: "lazy" });
  const mask = image.mask ? [make("img", { class: "mask", src: image.mask, alt: "", loading: "lazy" })] : [];
  return make("span", { class: "picture" }, shown, ...mask, box);
};

const tiles = data.images.map((image) => {
  const button = make("button", { type: "button", "aria-label": `${image.text}: show its factors` }, picture(image));
  button.addEventListener("click", () => open(image));
  const facts = [`${format(image.fields.size_px)} px`, image.fields.font_family || image.fields.font];
  if ("accuracy" in image.fields) facts.push(`accuracy ${Math.round(100 * image.fields.accuracy)} %`);
  return make("figure", { "data-key": image.key }, button,
    make("figcaption", {}, make("b", {}, image.text), facts.join(", ")));
});

const open = (image) => {
  const facts = make("dl");
  for (const [name, value] of Object.entries({ key: image.key, text: image.text, ...image.fields }))
    facts.append(make("dt", {}, name), make("dd", {}, format(value)));
  at("about").replaceChildren(picture(image), facts);
  at("detail").showModal();
};

const controls = {};
for (const name of numbers) {
  const all = values(name), low = Math.min(...all), high = Math.max(...all);
  ranges[name] = [low, high];
  const [from, to] = [low, high].map((value, k) =>
    make("input", { type: "range", min: 0, max: 1000, value: 1000 * k, "aria-label": `${name}, ${k ? "maximum" : "minimum"}` }));
  const bars = make("svg", { class: "bars", viewBox: `0 0 ${N_BINS} 1`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const said = make("span");
  const move = () => {
    const [a, b] = [from, to].map((slider) => low + (high - low) * slider.value / 1000);
    ranges[name] = [Math.min(a, b), Math.max(a, b)];
    show();
  };
  from.addEventListener("input", move);
  to.addEventListener("input", move);
  controls[name] = { bars, said, low, high };
  at("factors").append(make("fieldset", { "data-name": name }, make("legend", {}, name, said), bars, from, to));
}
for (const name of categories) {
  hidden[name] = new Set();
  const list = make("div", { class: "values" });
  const tally = new Map();
  for (const value of values(name)) tally.set(value, (tally.get(value) || 0) + 1);
  for (const [value, n] of [...tally].sort((a, b) => b[1] - a[1])) {
    const box = make("input", { type: "checkbox", checked: "" });
    box.addEventListener("change", () => { hidden[name][box.checked ? "delete" : "add"](value); show(); });
    list.append(make("label", {}, box, ` ${format(value)} `, make("span", {}, String(n))));
  }
  const none = make("button", { type: "button" }, "none");
  none.addEventListener("click", () => {
    for (const box of list.querySelectorAll("input"))
      if (box.checked) { box.checked = false; box.dispatchEvent(new Event("change")); }
  });
  at("factors").append(make("fieldset", { "data-name": name }, make("legend", {}, name, make("span", {}, none)), list));
}
at("sort").append(make("option", { value: "" }, "dataset order"));
if (numbers.includes("accuracy")) at("sort").append(make("option", { value: "accuracy" }, "hardest first"));
for (const name of numbers) if (name !== "accuracy") at("sort").append(make("option", { value: name }, name));

const draw = (control, all, now) => {
  const { bars, low, high } = control;
  const tally = (some) => {
    const bins = new Array(N_BINS).fill(0);
    for (const value of some) bins[Math.min(N_BINS - 1, Math.floor((value - low) / (high - low) * N_BINS))] += 1;
    return bins;
  };
  const before = tally(all), after = tally(now), top = Math.max(...before);
  bars.replaceChildren();
  for (const [kind, bins] of [["all", before], ["now", after]])
    bins.forEach((n, k) => bars.append(make("rect", { class: kind, x: k + 0.05, width: 0.9, y: 1 - n / top, height: n / top })));
};

const show = () => {
  const wanted = at("text").value.toLowerCase();
  const chosen = data.images.map((_, k) => k).filter((k) => {
    const image = data.images[k];
    return (!wanted || image.text.toLowerCase().includes(wanted) || image.key.includes(wanted))
      && (!at("repeated").checked || count[image.text] > 1)
      && numbers.every((name) => image.fields[name] >= ranges[name][0] - 1e-9 && image.fields[name] <= ranges[name][1] + 1e-9)
      && categories.every((name) => !hidden[name].has(image.fields[name]));
  });
  const key = at("sort").value;
  if (key) chosen.sort((a, b) => data.images[a].fields[key] - data.images[b].fields[key]);
  else if (at("repeated").checked)
    chosen.sort((a, b) => data.images[a].text.localeCompare(data.images[b].text) || a - b);
  at("tiles").replaceChildren(...chosen.map((k) => tiles[k]));
  at("shown").textContent = `${chosen.length} of ${data.images.length} images, from ${data.total.toLocaleString("en")} in the dataset`;
  for (const name of numbers) {
    controls[name].said.textContent = ranges[name].map(format).join(" to ");
    draw(controls[name], values(name), chosen.map((k) => data.images[k].fields[name]));
  }
};

// On a narrow screen the images come first.
at("factors").open = matchMedia("(min-width: 760px)").matches;
at("title").textContent = data.title;
document.title = data.title;
at("text").addEventListener("input", show);
at("sort").addEventListener("change", show);
at("repeated").addEventListener("change", show);
at("quads").addEventListener("change", () => document.body.classList.toggle("quads", at("quads").checked));
at("ink").parentNode.hidden = !data.images.some((image) => image.mask);
at("ink").addEventListener("change", () => document.body.classList.toggle("ink", at("ink").checked));
at("captions").addEventListener("change", () => document.body.classList.toggle("bare", !at("captions").checked));
at("close").addEventListener("click", () => at("detail").close());
at("panel").addEventListener("submit", (event) => event.preventDefault());
at("panel").addEventListener("reset", () => setTimeout(() => {
  for (const name of numbers) ranges[name] = [controls[name].low, controls[name].high];
  for (const name of categories) hidden[name].clear();
  document.body.className = "";
  show();
}));
show();
