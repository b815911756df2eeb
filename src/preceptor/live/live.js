"use strict";
// The live page: keeps what the server tells, and shows it. Whatever comes from a run is text: it goes into the page by
// textContent alone.

const MOST_SHOWN = 10, DEFAULT_SHOWN = 5, MOST_SETTINGS = 8, MOST_FINDINGS = 60, MOST_POINTS = 2500, SPARKS = 60;
const COLOURS = ["--blue", "--vermilion", "--green", "--purple", "--ink"];
const DASHES = [[], [7, 4], [2, 4], [9, 3, 2, 3], [14, 4]];
const COUNTS = ["done", "paused", "failed"];
const STATES = ["running", "judging", "starting", "finished", "interrupted", "broken off", "diverged", "unreadable"];
const LEVELS = {refuse: "Refused", warn: "Warning", note: "Note"};
const OPERATORS = {
  "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
  "=": (a, b) => a === b, "!=": (a, b) => a !== b, "~": (a, b) => String(a).includes(String(b)),
};

const runs = new Map();       // by number
const curves = new Map();     // by number: {x, low, high} of the figure that is shown, the whole course
const closer = new Map();     // the same of the part that is zoomed to
const styles = new Map();     // by number: which colour and dash a run that is shown has
const rows = new Map();       // by number: its row of the table
let findings = [];            // [run, finding], the latest first
let hasChosen = false;        // whether somebody chose runs; until then the first few are shown
let sorting = {by: "began", down: true};
let figure = "", plot = null, zoom = null, isDrawing = false;

const $ = id => document.getElementById(id);

function make(tag, properties = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...content);  // texts become text nodes
  return made;
}

function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Words ---------------------------------------------------------------------------------------------------------------

function amount(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size >= 1e-4 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

function duration(time) {
  const seconds = Math.round(time);
  if (seconds < 60) return `${Math.max(1, seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor(seconds % 3600 / 60)).padStart(2, "0")} min`;
}

const spoken = name => name.replaceAll("_", " ");
const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

// What is known -------------------------------------------------------------------------------------------------------

function take(head) {
  const before = runs.get(head.id);
  if (before && (head.step !== before.step || head.count !== before.count)) curves.delete(head.id);  // it has more, or less
  runs.set(head.id, {...head, marks: before ? before.marks : []});
  findings = findings.filter(([run]) => run !== head.id);
  for (const each of head.findings) findings.unshift([head.id, each]);
  findings.sort((a, b) => (b[1].time || 0) - (a[1].time || 0));
}

function forget(id) {
  runs.delete(id); curves.delete(id); closer.delete(id); styles.delete(id);
  rows.get(id)?.remove();
  rows.delete(id);
  findings = findings.filter(([run]) => run !== id);
}

function everything(told) {
  const names = new Set(told.runs.map(each => each.id));
  for (const id of [...runs.keys()]) if (!names.has(id)) forget(id);
  curves.clear();
  findings = [];
  told.runs.forEach(take);
  $("folder").textContent = told.folder;
  $("notes").textContent = told.notes.join(" ");
  show();
}

function news(told) {
  for (const head of told.heads || []) take(head);
  for (const [id, step, low, high] of told.steps || []) {
    const run = runs.get(id);
    if (!run) continue;
    run.step = step;
    run.marks = [...run.marks, [performance.now() / 1000, step]].slice(-30);
    if (figure === "objective") grow(run, step, low, high);
  }
  for (const [id, count, ...entry] of told.epochs || []) {
    const run = runs.get(id);
    if (!run) continue;
    const missed = count !== run.count + 1;
    Object.assign(run, {count, last: entry});
    if (run.trials) {  // its steps are results
      run.step = entry[0];
      run.marks = [...run.marks, [performance.now() / 1000, begun(run)]].slice(-30);
    }
    const main = value(run, mainFigure(run));
    if (typeof main === "number") run.spark.push(main);
    if (run.spark.length > SPARKS) run.spark = run.spark.filter((_, index) => index % 2 || index === run.spark.length - 1);
    if (figure === "objective" && run.step && !run.trials) continue;
    if (missed) curves.delete(id);  // epochs came between two looks: all is asked for anew
    else grow(run, entry[0], value(run, figure), value(run, figure));
  }
  for (const [id, found] of told.findings || []) {
    runs.get(id)?.findings.push(found);
    findings.unshift([id, found]);
    if (findings.length > 1000) findings.pop();
  }
  for (const id of told.gone || []) forget(id);
  show(told.findings ? told.findings.length : 0);
}

function grow(run, step, low, high) {
  const known = curves.get(run.id);
  if (!known || known.isPromised || !known.x.length) return void curves.delete(run.id);  // asked for anew
  if (step <= known.x[known.x.length - 1]) return;
  known.x.push(step); known.low.push(low ?? null); known.high.push(high ?? null);
  if (known.x.length > MOST_POINTS) curves.delete(run.id);  // asked for again, in fewer blocks
}

// How many trials of a search have begun.
function begun(run) {
  return COUNTS.reduce((sum, name) => sum + (value(run, name) || 0), 0);
}

// The value of a column of the table, or of a word of the filter.
function value(run, name) {
  if (name === "name" || name === "state" || name === "data" || name === "step" || name === "began") return run[name];
  if (name === "findings") return run.findings.length;
  if (name === "result") return Object.values(run.figures.values || {})[0] ?? null;
  if (name === "epoch") return run.last ? run.last[1] : null;
  if (name === "trials") return run.trials ? begun(run) : null;
  if (name === "progress") return run.steps ? run.step / run.steps : progress(run);
  if (name === "left") return left(run);
  const place = run.columns.indexOf(name);
  if (place >= 0 && !name.startsWith("set:")) return run.last ? run.last[place + 2] : null;
  const own = name.startsWith("set:") ? name.slice(4) : name;
  return Object.hasOwn(run.settings, own) ? run.settings[own] : null;
}

function progress(run) {
  if (run.state === "finished" || run.state === "judging") return 1;
  if (run.trials) return run.trials.planned ? begun(run) / run.trials.planned : null;
  return run.last && run.epochs ? run.last[1] / run.epochs : null;
}

function left(run) {
  if (run.trials) return leftOfTrials(run);
  if (run.state !== "running" || !run.steps) return null;
  const [first, last] = [run.marks[0], run.marks[run.marks.length - 1]];
  const isKnown = run.marks.length > 4 && last[1] > first[1];
  const pace = isKnown ? (last[0] - first[0]) / (last[1] - first[1]) : run.pace;
  return pace === null ? null : (run.steps - run.step) * pace;
}

// Seconds of a trial of a search: by those that came while the page was open, else by all.
function paceOfTrials(run) {
  const [first, last] = [run.marks[0], run.marks[run.marks.length - 1]];
  const isKnown = run.marks.length > 4 && last[1] > first[1];
  return isKnown ? (last[0] - first[0]) / (last[1] - first[1]) : run.trials.pace;
}

function leftOfTrials(run) {
  const pace = paceOfTrials(run), {planned, minutes} = run.trials;
  if (run.state !== "running") return null;
  const byTrials = pace === null || !planned ? Infinity : (planned - begun(run)) * pace;
  const byTime = minutes ? run.began + 60 * minutes - Date.now() / 1000 : Infinity;
  const found = Math.min(byTrials, byTime);
  return Number.isFinite(found) ? Math.max(0, found) : null;
}

function saidOfTrials(run) {
  const pace = paceOfTrials(run), counts = COUNTS.filter(name => value(run, name)).map(name => `${amount(value(run, name))} ${name}`);
  const rate = run.state === "running" && pace ? [`${amount(Number((60 / pace).toPrecision(2)))} a minute`] : [];
  return [...counts, ...rate].join(", ");
}

function mainFigure(run) {
  if (run.trials) return run.columns[0] || "";
  return ["dev_loss", "train_loss", "objective"].find(name => typeof value(run, name) === "number") || "";
}

function metrics() {
  const found = new Set();
  for (const run of runs.values())
    for (const name of run.columns) if (name.startsWith("dev_")) found.add(name);
  return [...found].slice(0, 5);
}

// Settings in which the runs differ.
function differing(chosen) {
  const seen = new Map();
  for (const run of chosen)
    for (const name of Object.keys(run.settings)) seen.set(name, new Set());
  for (const run of chosen)
    for (const [name, values] of seen) values.add(Object.hasOwn(run.settings, name) ? run.settings[name] : null);
  return [...seen].filter(([, values]) => values.size > 1).map(([name]) => name);
}

// The filter ----------------------------------------------------------------------------------------------------------

function passes(run) {
  const [setting, wanted] = [$("setting").value, $("value").value];
  if (setting && wanted !== "" && String(value(run, `set:${setting}`) ?? "none") !== wanted) return false;
  const words = $("filter").value.replace(/\s*(<=|>=|!=|=|<|>|~)\s*/g, "$1").split(/\s+/).filter(Boolean);
  return words.every(word => {
    const found = /^([^<>=!~]+)(<=|>=|!=|=|<|>|~)(.+)$/.exec(word);
    if (!found) {
      const text = [run.name, run.data, run.state, ...Object.values(run.settings)].join(" ").toLowerCase();
      return text.includes(word.toLowerCase());
    }
    const [, name, operator, text] = found;
    const [own, given] = [value(run, name.replaceAll("-", "_")), Number(text)];
    if (own === null || own === undefined) return operator === "!=";
    if (typeof own === "number" && text !== "" && !Number.isNaN(given)) return OPERATORS[operator](own, given);
    return OPERATORS[operator](String(own).toLowerCase(), text.toLowerCase());
  });
}

function visible() {
  const chosen = [...runs.values()].filter(passes), {by, down} = sorting;
  const key = run => by === "state" ? STATES.indexOf(run.state) : value(run, by);
  const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), "en", {numeric: true});
  return chosen.sort((one, other) => {
    const [a, b] = [key(one), key(other)];
    const isKnown = each => each !== null && each !== undefined && each !== "";
    if (isKnown(a) !== isKnown(b)) return isKnown(a) ? -1 : 1;  // what is not known comes last either way
    return (isKnown(a) ? compare(a, b) * (down ? -1 : 1) : 0) || one.id - other.id;
  });
}

// The table -----------------------------------------------------------------------------------------------------------

function columns() {
  const all = [...runs.values()], found = [["name", "Run"], ["state", "State"]];
  if (new Set(all.map(run => run.data)).size > 1) found.push(["data", "Data"]);
  found.push(["progress", "Progress"]);
  if (all.some(run => run.state === "running")) found.push(["left", "Left, at most"]);
  if (all.some(run => !run.trials)) found.push(["epoch", "Epoch"]);
  if (all.some(run => run.trials)) found.push(["trials", "Trials"]);
  for (const name of metrics()) found.push([name, spoken(name)]);
  if (!metrics().length) found.push(["train_loss", "train loss"]);
  found.push(["spark", "Course"]);
  if (all.some(run => run.figures.part)) found.push(["result", "Result"]);
  for (const name of differing(all).slice(0, MOST_SETTINGS)) found.push([`set:${name}`, spoken(name)]);
  found.push(["findings", "Findings"]);
  return found;
}

function showTable() {
  const shown = columns(), head = document.querySelector("#runs thead tr"), body = document.querySelector("#runs tbody");
  const wanted = JSON.stringify(shown);
  if (head.dataset.columns !== wanted) {
    head.dataset.columns = wanted;
    head.replaceChildren(...shown.map(([name, text]) => {
      const made = make("th", {scope: "col", class: isNumber(name) ? "n" : ""});
      made.dataset.by = name;
      if (name === "spark") return made.append(text), made;
      const button = make("button", {type: "button"}, text);
      button.addEventListener("click", () => sortBy(name));
      return made.append(button), made;
    }));
    const before = $("sort").value;
    $("sort").replaceChildren(...[["began", "newest first"], ...shown].filter(([name]) => name !== "spark")
      .map(([name, text]) => make("option", {value: name}, text)));
    $("sort").value = before || "began";
    for (const row of rows.values()) row.remove();
    rows.clear();
  }
  for (const cell of head.children) {
    if (cell.dataset.by !== sorting.by) cell.removeAttribute("aria-sort");
    else cell.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
  }
  const listed = visible();
  let place = body.firstChild;
  for (const run of listed) {
    if (!rows.has(run.id)) rows.set(run.id, newRow(run, shown));
    const row = rows.get(run.id);
    fillRow(row, run, shown);
    if (row === place) place = place.nextSibling;
    else body.insertBefore(row, place);
  }
  while (place) { const next = place.nextSibling; place.remove(); place = next; }
  const all = runs.size, going = [...runs.values()].filter(run => run.state === "running").length;
  $("count").textContent = !all ? "No run lies here yet; one that begins appears by itself."
    : `${counted(all, "run")}, ${going} running${listed.length < all ? `; ${listed.length} pass the filter` : ""}.`;
  document.title = `${going ? `${going} running` : counted(all, "run")} · Preceptor`;
}

const isNumber = name => !["name", "state", "data", "progress", "trials", "spark"].includes(name) && !name.startsWith("set:");

function newRow(run, shown) {
  const row = make("tr");
  row.dataset.run = run.id;
  for (const [name, text] of shown) {
    const cell = make("td", {class: name === "name" ? "name" : isNumber(name) ? "n" : ""});
    cell.dataset.name = text;
    if (name === "name") {
      const box = make("input", {type: "checkbox"});
      box.addEventListener("change", () => choose(run.id, box.checked));
      cell.append(make("label", {}, box, make("span")));
    } else if (name === "progress") {
      cell.append(make("span", {class: "part", "aria-hidden": "true"}, make("span")), make("span"));
    } else if (name === "spark") {
      const drawn = svg("svg", {class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", role: "img"});
      drawn.append(svg("path", {"vector-effect": "non-scaling-stroke"}));
      cell.append(drawn);
    } else if (name === "state") {
      cell.append(make("span"));
    }
    row.append(cell);
  }
  return row;
}

function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function fillRow(row, run, shown) {
  shown.forEach(([name], index) => {
    const cell = row.children[index];
    if (name === "name") {
      const [box, text] = cell.firstChild.children;
      box.checked = styles.has(run.id);
      write(text, run.name + (run.kept ? " (kept)" : ""));
    } else if (name === "state") {
      cell.firstChild.className = `state ${run.state.split(" ")[0]}`;
      cell.title = run.ending;
      write(cell.firstChild, run.state);
    } else if (name === "progress") {
      const part = value(run, name);
      cell.firstChild.hidden = part === null;
      cell.firstChild.firstChild.style.width = `${100 * Math.min(1, part || 0)}%`;
      write(cell.lastChild, part === null ? "" : run.trials ? `${amount(begun(run))} of ${amount(run.trials.planned)} trials` : run.steps ? `${amount(run.step)} of ${amount(run.steps)}`
        : `${Math.round(100 * part)} %`);
    } else if (name === "spark") {
      sparkle(cell.firstChild, run);
    } else if (name === "trials") {
      write(cell, run.trials ? saidOfTrials(run) : "");
      cell.title = run.trials ? Object.entries(run.settings).map(([word, each]) => `${spoken(word)} ${amount(each)}`).join(", ") : "";
    } else if (name === "left") {
      const seconds = left(run);
      write(cell, seconds === null ? "" : duration(seconds));
    } else if (name === "result") {
      const figures = Object.entries(run.figures.values || {}).map(([word, each]) => `${spoken(word)} ${amount(each)}`);
      write(cell, figures[0] || "");
      cell.title = figures.length ? `${run.figures.part}: ${figures.join(", ")}` : "";
    } else if (name === "epoch") {
      write(cell, run.last && run.last[1] !== null ? `${amount(Math.floor(run.last[1]))}${run.epochs ? ` of ${amount(run.epochs)}` : ""}` : "");
    } else {
      write(cell, amount(value(run, name)));
    }
  });
}

function sparkle(drawn, run) {
  const values = run.spark.filter(each => each !== null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const points = values.map((each, index) =>
    `${(100 * index / Math.max(1, values.length - 1)).toFixed(1)} ${(22 - 20 * (each - low) / (high - low || 1)).toFixed(1)}`);
  drawn.firstChild.setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
  drawn.setAttribute("aria-label", values.length ? `from ${amount(values[0])} to ${amount(values[values.length - 1])}` : "nothing yet");
}

function sortBy(name) {
  const fromHighest = name === "progress" || name === "began" || name === "findings";
  sorting = {by: name, down: sorting.by === name ? !sorting.down : fromHighest};
  $("sort").value = name;
  showTable();
}

function showChoices() {
  const names = new Set([...runs.values()].flatMap(run => Object.keys(run.settings)));
  fillSelect($("setting"), [["", "any"], ...[...names].sort().map(name => [name, spoken(name)])]);
  const setting = $("setting").value;
  const values = new Set([...runs.values()].map(run => String(value(run, `set:${setting}`) ?? "none")));
  $("value").disabled = !setting;
  fillSelect($("value"), [["", "any"], ...(setting ? [...values].sort((a, b) =>
    a.localeCompare(b, "en", {numeric: true})).map(each => [each, each]) : [])]);
  const shown = [...styles.keys()].map(id => runs.get(id));
  const figures = new Set(shown.length && shown.every(run => run.trials) ? [] : ["objective"]);  // a search has none
  for (const run of shown) run.columns.forEach(name => figures.add(name));
  if (!figures.size) figures.add("objective");
  fillSelect($("figure"), [...figures].map(name => [name, spoken(name)]));
  if (figure !== $("figure").value) changeFigure();
}

function fillSelect(select, options) {
  const wanted = JSON.stringify(options);
  if (select.dataset.options === wanted) return;
  const before = select.value;
  select.dataset.options = wanted;
  select.replaceChildren(...options.map(([value, text]) => make("option", {value}, text)));
  select.value = options.some(([value]) => value === before) ? before : options[0][0];
}

// Which runs have curves ----------------------------------------------------------------------------------------------

function choose(id, isShown) {
  hasChosen = true;
  if (!isShown) styles.delete(id);
  else if (styles.size < MOST_SHOWN) give(id);
  show();
}

function give(id) {
  const taken = new Set(styles.values());
  styles.set(id, [...Array(MOST_SHOWN).keys()].find(each => !taken.has(each)));
}

function chooseFirst() {
  const isFit = run => run.state !== "diverged" && run.state !== "unreadable" && !styles.has(run.id);
  for (const run of visible()) if (!hasChosen && styles.size < DEFAULT_SHOWN && isFit(run)) give(run.id);
}

const strokeOf = style => colour(COLOURS[style % COLOURS.length]);
const dashOf = style => DASHES[(style + Math.floor(style / COLOURS.length)) % DASHES.length];

// The chart -----------------------------------------------------------------------------------------------------------

async function ask(run, into, from, to) {
  const wanted = figure, promise = {x: [], low: [], high: [], isPromised: true};
  if (into === curves) into.set(run.id, promise);
  const query = new URLSearchParams({run: run.id, of: wanted, from: Math.max(0, Math.floor(from)), to: Math.ceil(to)});
  try {
    const answer = await fetch(`curve?${query}`);
    const found = answer.ok ? await answer.json() : {x: [], low: [], high: []};
    if (wanted !== figure || into === curves && into.get(run.id) !== promise) return;
    into.set(run.id, found);
  } catch {
    if (into.get(run.id) === promise) into.delete(run.id);  // the connection is gone; asked for when it is back
    return;
  }
  draw();
}

function perStep(run) {  // epochs of a step
  if ($("axis").value === "step" || run.trials) return 1;
  return run.last && run.last[0] ? run.last[1] / run.last[0] : run.steps ? run.epochs / run.steps : 1;
}

function changeFigure() {
  figure = $("figure").value;
  curves.clear(); closer.clear();
  zoom = null;
  rebuild();
}

function rebuild() {
  plot?.destroy();
  plot = null;
  draw();
}

function tables() {
  const isLog = $("log").checked, shown = [...styles.keys()].map(id => runs.get(id));
  const clean = list => list.map(each => each === null || isLog && each <= 0 ? null : each);
  return shown.map(run => {
    const found = zoom && closer.get(run.id) || curves.get(run.id) || {x: [], low: [], high: []}, ratio = perStep(run);
    return [found.x.map(each => each * ratio), clean(found.low), clean(found.high)];
  });
}

function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => { isDrawing = false; drawNow(); });
}

function drawNow() {
  for (const [id] of styles) if (!curves.has(id)) ask(runs.get(id), curves, 0, 1e14);
  const chosen = [...styles].map(([id, style]) => [runs.get(id), style]);
  $("hint").textContent = !chosen.length ? "Choose runs in the table below to see their curves."
    : "Drag over a part to see it closer, double-click for all of it. Bands reach from the lowest to the highest.";
  showKeys(chosen);
  const shape = JSON.stringify([[...styles], figure, $("axis").value, $("log").checked]);
  if (plot && plot.shape !== shape) { plot.destroy(); plot = null; }
  const data = chosen.length ? uPlot.join(tables()) : [[]];
  if (!plot) {
    if (!chosen.length) return;
    plot = new uPlot(options(chosen), data, $("chart"));
    plot.shape = shape;
    if (zoom) plot.setScale("x", zoom);
  } else {
    plot.isOurs = true;
    plot.setData(data, !zoom);
    if (zoom) plot.setScale("x", zoom);
    plot.isOurs = false;
  }
}

function options(chosen) {
  const axis = {stroke: colour("--quiet"), grid: {stroke: colour("--rule"), width: 1}, ticks: {stroke: colour("--rule")},
    font: "12px system-ui, sans-serif"};
  const isDotted = figure === "trial_score";  // of trials that have nothing to do with those before and behind them
  const series = chosen.flatMap(([run, style]) => ["low", "high"].map(end => ({label: `${run.id} ${end}`,
    stroke: strokeOf(style), dash: dashOf(style), width: 1.5, ...(isDotted ? {paths: () => null} : {}), points: {size: 6, show: isDotted || ((self, index) => self.data[index].filter(each => each != null).length === 1)}})));
  const bands = chosen.map(([, style], index) => ({series: [2 * index + 2, 2 * index + 1],
    fill: `${strokeOf(style)}33`}));
  return {
    width: $("chart").clientWidth, height: $("chart").clientHeight, legend: {show: false},
    scales: {x: {time: false}, y: $("log").checked ? {distr: 3} : {}},
    axes: [{...axis, label: chosen.every(([run]) => run.trials) ? "result" : $("axis").value === "step" ? "step" : "epoch", labelSize: 20, labelFont: axis.font},
      {...axis, size: 62, values: (_, ticks) => ticks.map(each => each === null ? ""
        : Math.abs(each) >= 1e5 ? Number(each.toPrecision(6)).toExponential() : amount(each))}],
    series: [{}, ...series], bands,
    cursor: {y: false, drag: {x: true, y: false, setScale: true}, points: {show: false}},
    hooks: {setScale: [scaled], setCursor: [() => showValues()]},
  };
}

function wholeRange() {
  const xs = plot.data[0];
  return [xs.length ? xs[0] : 0, xs.length ? xs[xs.length - 1] : 1];
}

function scaled(self, name) {
  if (name !== "x" || self !== plot || self.isOurs) return;
  const {min, max} = self.scales.x, base = [...styles.keys()].map(id => [curves.get(id), perStep(runs.get(id))]);
  const lasts = base.filter(([each]) => each && each.x.length).map(([each, ratio]) => each.x[each.x.length - 1] * ratio);
  const firsts = base.filter(([each]) => each && each.x.length).map(([each, ratio]) => each.x[0] * ratio);
  const isWhole = min === null || min <= Math.min(...firsts) && max >= Math.max(...lasts);
  const before = zoom;
  zoom = isWhole ? null : {min, max};
  if (zoom) askCloser();
  else if (before) { closer.clear(); draw(); }
}

let waiting = 0;
function askCloser() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    for (const id of styles.keys()) {
      const run = runs.get(id), ratio = perStep(run);
      if (zoom) ask(run, closer, zoom.min / ratio, zoom.max / ratio);
    }
  }, 120);
}

function moveZoom(change) {
  if (!plot || plot.scales.x.min === null) return;
  const {min, max} = plot.scales.x, [centre, half] = [(min + max) / 2, (max - min) / 2];
  if (change === "whole") { zoom = null; closer.clear(); plot.shape = ""; return draw(); }
  const [shift, factor] = {closer: [0, .5], farther: [0, 2], left: [-half, 1], right: [half, 1]}[change];
  plot.setScale("x", {min: Math.max(0, centre + shift - half * factor), max: centre + shift + half * factor});
}

function showKeys(chosen) {
  const keys = $("keys"), wanted = JSON.stringify(chosen.map(([run, style]) => [run.id, run.name, style]));
  if (keys.dataset.shown === wanted) return showValues();
  keys.dataset.shown = wanted;
  keys.replaceChildren(...chosen.map(([run, style]) => {
    const drawn = svg("svg", {class: "line", viewBox: "0 0 32 8", "aria-hidden": "true"});
    const path = svg("path", {d: "M0 4H32", fill: "none", "stroke-width": 2.5});
    path.style.stroke = `var(${COLOURS[style % COLOURS.length]})`;
    path.style.strokeDasharray = dashOf(style).join(" ") || "none";
    drawn.append(path);
    const made = make("li", {}, drawn, make("span", {}, run.name), make("span", {class: "quiet"}));
    made.dataset.run = run.id;
    return made;
  }));
  showValues();
}

// The values under the pointer; without one the latest.
function showValues() {
  const at = plot && plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : Infinity;
  for (const key of $("keys").children) {
    const run = runs.get(Number(key.dataset.run));
    const found = run && (zoom && closer.get(run.id) || curves.get(run.id));
    if (!found || !found.x.length) { write(key.lastChild, ""); continue; }
    const step = at / perStep(run);
    let [first, last] = [0, found.x.length - 1];
    while (first < last) {  // the first block that ends at or behind the pointer
      const middle = (first + last) >> 1;
      if (found.x[middle] < step) first = middle + 1; else last = middle;
    }
    const [low, high] = [amount(found.low[first]), amount(found.high[first])];
    const where = Number.isFinite(at) ? ` at step ${amount(found.x[first])}` : "";
    write(key.lastChild, low === "" ? "not a number" : `${low === high ? low : `${low} to ${high}`}${where}`);
  }
}

// Findings ------------------------------------------------------------------------------------------------------------

const listed = new Map();  // an entry of the page for each finding

function showFindings(fresh) {
  const shown = findings.slice(0, MOST_FINDINGS);
  $("none").hidden = shown.length > 0;
  for (const each of [...listed.keys()]) if (!shown.some(([, found]) => found === each)) listed.delete(each);
  const elements = shown.map(([id, found], index) => {
    if (!listed.has(found)) listed.set(found, entryOf(id, found, index < fresh));
    return listed.get(found);
  });
  if (elements.length !== $("findings").children.length || elements.some((each, i) => $("findings").children[i] !== each))
    $("findings").replaceChildren(...elements);
}

function entryOf(id, found, isFresh) {
  const where = [runs.get(id)?.name ?? "", found.step === null ? "" : `step ${amount(found.step)}`, found.rule];
  const when = found.time ? new Date(found.time * 1000).toLocaleTimeString() : "";
  const made = make("li", {class: `${found.level}${isFresh ? " fresh" : ""}`},
    make("p", {class: "small quiet"}, make("strong", {class: {warn: "warn", refuse: "bad"}[found.level] || ""},
      LEVELS[found.level]), ` · ${[...where, when].filter(Boolean).join(" · ")}`),
    make("p", {}, found.text));
  for (const text of [found.proof, found.remedy && `Remedy: ${found.remedy}`])
    if (text) made.append(make("p", {class: "small quiet"}, text));
  return made;
}

// All -----------------------------------------------------------------------------------------------------------------

function show(fresh = 0) {
  for (const id of [...styles.keys()]) if (!runs.has(id)) styles.delete(id);
  chooseFirst();
  showChoices();
  showTable();
  showFindings(fresh);
  draw();
}

function listen() {
  const stream = new EventSource("events");
  const say = (text, isGood) => { $("connection").textContent = text; $("connection").className = isGood ? "small good" : "small"; };
  stream.addEventListener("open", () => say("Live", true));
  stream.addEventListener("error", () => {
    say(stream.readyState === 2 ? "Ended; load the page again" : "Connecting again …", false);
  });
  stream.addEventListener("all", event => everything(JSON.parse(event.data)));
  stream.addEventListener("news", event => news(JSON.parse(event.data)));
}

$("figure").addEventListener("change", changeFigure);
$("axis").addEventListener("change", () => { zoom = null; closer.clear(); rebuild(); });
$("log").addEventListener("change", rebuild);
for (const id of ["closer", "farther", "left", "right", "whole"]) $(id).addEventListener("click", () => moveZoom(id));
$("chart").addEventListener("keydown", event => {
  const change = {"+": "closer", "=": "closer", "-": "farther", ArrowLeft: "left", ArrowRight: "right", 0: "whole"}[event.key];
  if (change) { event.preventDefault(); moveZoom(change); }
});
$("filter").addEventListener("input", () => show());
$("setting").addEventListener("change", () => { $("value").value = ""; show(); });
$("value").addEventListener("change", () => show());
$("sort").addEventListener("change", () => sortBy($("sort").value));
new ResizeObserver(() => plot?.setSize({width: $("chart").clientWidth, height: $("chart").clientHeight})).observe($("chart"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", rebuild);
listen();
