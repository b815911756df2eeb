/* The page's trainings: buttons, pictures and tables of a Session. Needs Interpreter and Session. */
(function () {
  "use strict";
  var SIDE = 41, PLACES = 161, MOST_ROWS = 150, MOST_CARDS = 60, SVG = "http://www.w3.org/2000/svg";

  function put(name, attributes, content) {  // an element; content: text, an element, or a list of them
    var isSvg = /^(svg|path|line|circle|text|tspan|g|rect|title)$/.test(name);
    var made = isSvg ? document.createElementNS(SVG, name) : document.createElement(name);
    Object.keys(attributes || {}).forEach(function (key) {
      var value = attributes[key];
      if (value === false || value === null || value === undefined) return;
      if (typeof value === "function") made.addEventListener(key, value);
      else made.setAttribute(key, value === true ? "" : value);
    });
    [].concat(content === undefined || content === null ? [] : content).forEach(function (each) {
      made.append(typeof each === "number" ? String(each) : each);
    });
    return made;
  }

  function fill(place, content) { place.replaceChildren.apply(place, [].concat(content)); }

  function amount(value) {  // four digits
    if (!Number.isFinite(value)) return String(value);
    if (value === 0) return "0";
    return Math.abs(value) >= 1e5 || Math.abs(value) < 1e-4 ? value.toExponential(2) : String(+value.toPrecision(4));
  }

  function colours() {  // of the page, as [r, g, b]
    var style = getComputedStyle(document.documentElement), found = {};
    ["paper", "ink", "quiet", "blue", "vermilion", "green", "purple"].forEach(function (name) {
      var word = style.getPropertyValue("--" + name).trim();
      found[name] = [1, 3, 5].map(function (at) { return parseInt(word.slice(at, at + 2), 16); });
    });
    return found;
  }

  function css(colour) { return "rgb(" + colour.map(Math.round).join(",") + ")"; }

  function mixed(from, to, share) { return from.map(function (each, at) { return each + share * (to[at] - each); }); }

  function part(seen, from, to) {  // of what a network says: some rows
    var found = {};
    Object.keys(seen).forEach(function (name) {
      var width = seen[name].width;
      found[name] = { width: width, values: seen[name].values.subarray(from * width, to * width) };
    });
    return found;
  }

  /* From -1, blue, over the paper to 1, vermilion. */
  function signed(value, palette) {
    var share = Math.min(1, Math.abs(value));
    return mixed(palette.paper, value < 0 ? palette.blue : palette.vermilion, 0.75 * share);
  }

  function raster(canvas, values, palette) {  // SIDE x SIDE numbers from -1 to 1, or colours, the first row lowest
    var picture = canvas.getContext("2d").createImageData(SIDE, SIDE), pixels = picture.data;
    if (!palette.scale) {  // 201 colours, made once
      palette.scale = [];
      for (var shade = -100; shade <= 100; shade++) palette.scale.push(signed(shade / 100, palette));
    }
    for (var i = 0; i < SIDE * SIDE; i++) {
      var value = values[i], colour = value;
      if (typeof value === "number")
        colour = value === value ? palette.scale[Math.round(100 * Math.min(1, Math.max(-1, value))) + 100] : palette.ink;
      var at = 4 * ((SIDE - 1 - Math.floor(i / SIDE)) * SIDE + i % SIDE);
      pixels[at] = colour[0];
      pixels[at + 1] = colour[1];
      pixels[at + 2] = colour[2];
      pixels[at + 3] = 255;
    }
    canvas.getContext("2d").putImageData(picture, 0, 0);
  }

  function save(name, text, kind) {
    var link = put("a", { download: name, href: URL.createObjectURL(new Blob([text], { type: kind })) });
    link.click();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
  }

  function places() {
    var found = {};
    location.hash.slice(1).split("&").forEach(function (pair) {
      var parts = pair.split("=");
      try { if (parts.length === 2) found[decodeURIComponent(parts[0])] = decodeURIComponent(parts[1]); } catch (error) { /* no state of ours */ }
    });
    return found;
  }

  function Replay(root) {
    var spec = JSON.parse(root.querySelector("script[type='application/json']").textContent), name = root.dataset.name;
    var session = new Session(spec), isRunning = false, frame = 0;
    var scratch = put("canvas", { width: SIDE, height: SIDE });

    // Controls
    function button(words, act, more) { return put("button", Object.assign({ type: "button", click: act }, more), words); }
    var run = button("Run", function () {
      if (!isRunning) return go();
      pause();
      shown();
    });
    var said = put("output", { class: "said-now" });
    var check = put("p", { class: "small quiet" }), finding = put("div", { class: "watch", role: "status" });
    var controls = put("div", { class: "control" }, [
      button("Back", function () { pause(); session.back(session.steps() - 1); shown(); }, { class: "one-back" }),
      button("Step", function () { pause(); session.step(1); shown(); }, { class: "one" }),
      button("10 steps", function () { pause(); session.step(10); shown(); }, { class: "ten" }),
      run,
      button("Reset", function () { pause(); session.reset(); shown(); }),
      said
    ]);
    var furthest = 0, reached = "";  // of the steps that were made with the present settings and changes
    var line = put("input", { type: "range", min: 0, max: 1, step: 1, "aria-label": "Step of the training", input: function () {
      pause();
      goTo(Number(line.value));
    } });
    function goTo(step) {
      if (step < session.steps()) session.back(step);
      else session.step(step - session.steps());
      shown();
    }
    var time = put("div", { class: "control time" }, [put("span", { class: "small quiet" }, "Over the steps:"), line]);
    function drawTime() {  // over all steps that were made; a change makes those behind it void
      var now = session.word().replace(/;steps:\d+/, ""), steps = session.steps();
      if (now !== reached) furthest = 0;
      reached = now;
      furthest = Math.max(furthest, steps);
      line.max = Math.max(1, furthest);
      line.value = steps;
    }

    function choice(words, names, key) {
      var made = put("select", { change: function () { var given = {}; given[key] = Number(made.value); pause(); session.reset(given); shown(); } });
      made.fillNames = function (all) {
        fill(made, all.map(function (each, number) { return put("option", { value: number }, each); }));
      };
      made.fillNames(names);
      return [put("label", {}, [words, made]), made];
    }
    function slider(words, low, high, act) {  // of powers of ten
      var shownValue = put("b"), made = put("input", { type: "range", min: low, max: high, step: 0.05, input: function () {
        act(+Math.pow(10, Number(made.value)).toPrecision(3));
      } });
      made.show = function (value, also) { made.value = Math.log10(Math.max(value, 1e-9)); shownValue.textContent = amount(value) + (also || ""); };
      return [put("label", {}, [put("span", {}, [words + " ", shownValue]), made]), made];
    }
    var data = choice("Data", session.sets.map(function (each) { return each.name; }), "data");
    var network = choice("Network", spec.networks.map(function (each) { return each.name; }), "network");
    var rate = slider("Learning rate", -4, 3, function (value) { session.change("r", value); shown(); });
    var sd = slider("Spread of the first weights", -4, 1.5, function (value) { pause(); session.reset({ sd: value }); shown(); });
    var seed = put("input", { type: "number", min: 0, max: 4294967295, step: 1, change: function () {
      pause();
      session.reset({ seed: Math.min(Math.max(Math.round(Number(seed.value)) || 0, 0), 4294967295) });
      shown();
    } });
    var settings = put("div", { class: "settings" }, [
      data[0], spec.networks.length > 1 ? network[0] : null,
      put("label", {}, ["Seed", seed]), rate[0], sd[0]
    ].filter(Boolean));
    function broken(words, given, speed) {
      return button(words, function () {
        pause();
        var now = session.rate();
        session.reset(given);
        if (speed) session.change("r", +(now * speed).toPrecision(6));
        shown();
      });
    }
    var breaks = put("div", { class: "control" }, [
      put("span", { class: "small quiet" }, "Break it:"),
      broken("Zero weights", { sd: 0 }), broken("Spread 0.01", { sd: 0.01 }), broken("Inputs × 100", { scale: 100 }), broken("Rate × 100", {}, 100),
      put("span", { class: "small quiet" }, "or"),
      button("Mend", function () { pause(); session.reset({ seed: spec.seed, sd: null, scale: 1 }); shown(); })
    ]);

    // Pictures
    var hasMap = spec.features.length === 2, hasCurve = spec.features.length === 1, count = hasMap ? SIDE * SIDE : hasCurve ? PLACES : 0;
    var map = put("canvas", { width: 640, height: 640, class: "plane", role: "img" }), mapSays = put("p", { class: "small quiet" });
    var fit = put("svg", { viewBox: "0 0 380 250", role: "img" }), fitSays = put("p", { class: "small quiet" });
    var cards = put("svg", { role: "img", class: "cards" }), cardsSay = put("p", { class: "small quiet" });
    var curve = put("svg", { viewBox: "0 0 380 230", role: "img" }), graph = put("svg", { role: "img", viewBox: "0 0 380 10" });
    var told = put("p", { class: "small quiet told" }), units = put("div", { class: "units" });
    var rows = put("tbody"), more = put("p", { class: "small quiet" });
    function figure(title, content) { return put("figure", {}, [put("figcaption", {}, title)].concat(content)); }
    var pictures = put("div", { class: "figures" }, [
      hasMap ? figure("What the network says, over the plane", [map, mapSays]) : null,
      hasCurve ? figure("What the network says, and the rows", [fit, fitSays]) : null,
      figure("Loss of each step", [curve, check]),
      figure("The network: each line a weight", [graph, told]),
      figure("What each hidden unit says; press one to switch it off", [units])
    ].filter(Boolean));
    var update = figure("The last update: each weight before it, its gradient, each weight after it", [put("div", { class: "scroll" }, cards), cardsSay]);
    var table = put("details", {}, [
      put("summary", {}, "Every weight before and after the last update, and the gradient that caused it"),
      put("div", { class: "scroll tall" }, put("table", {}, [
        put("thead", {}, put("tr", {}, ["weight", "before", "gradient", "after"].map(function (head, at) { return put("th", { scope: "col", class: at ? "n" : null }, head); }))),
        rows
      ])),
      more
    ]);

    // Data of the reader's own, and what may be taken home
    var pasted = put("textarea", { rows: 5, spellcheck: "false", "aria-label": "Rows of own data",
      placeholder: spec.features.join(",") + "," + (spec.classes.length ? "class" : "value") });
    var wrong = put("p", { class: "small warn", role: "status" });
    function use() {
      pause();
      try {
        session.own(pasted.value);
        data[1].fillNames(session.sets.map(function (each) { return each.name; }));
        wrong.textContent = "";
        shown();
      } catch (error) { wrong.textContent = error.message; }
    }
    var own = put("details", {}, [
      put("summary", {}, "Own data"),
      put("p", { class: "small" }, "Rows of " + spec.features.length + " numbers and a " + (spec.classes.length ? "class, of " + spec.classes.length + " at most" : "number to be predicted")
        + ", with commas between. They stay in this page, and are not in its link."),
      pasted,
      put("div", { class: "control" }, [
        put("input", { type: "file", accept: ".csv,.tsv,.txt", "aria-label": "A file of rows", change: function (event) {
          var file = event.target.files[0];
          if (file) file.text().then(function (text) { pasted.value = text; use(); });
        } }),
        button("Use these rows", use)
      ]),
      wrong
    ]);
    var exports = put("div", { class: "control" }, [
      button("Save as Python", function () { save(name + ".py", session.python(), "text/x-python"); }),
      button("Save the weights", function () { save(name + "-weights.json", session.weights(), "application/json"); })
    ]);
    root.append(controls, time, finding, settings, breaks, pictures, update, table, own, exports);

    function reach() {  // of the map: the data with some room, a square
      var x = session.set().x, low = Math.min.apply(null, x), high = Math.max.apply(null, x), room = (hasCurve ? 0.02 : 0.12) * (high - low || 1);
      return [low - room, high + room];
    }

    function grid(limits) {
      var found = [];
      if (hasCurve) for (var at = 0; at < PLACES; at++) found.push(limits[0] + at / (PLACES - 1) * (limits[1] - limits[0]));
      else if (hasMap) for (var i = 0; i < SIDE; i++) for (var j = 0; j < SIDE; j++)
        found.push(limits[0] + (j + 0.5) / SIDE * (limits[1] - limits[0]), limits[0] + (i + 0.5) / SIDE * (limits[1] - limits[0]));
      return found;
    }

    function drawMap(seen, limits, palette) {
      var series = [palette.blue, palette.vermilion, palette.green, palette.purple], width = seen.predicted.width, values = [], row, k;
      var context = map.getContext("2d"), set = session.set(), y = set.y, low = Math.min.apply(null, y), high = Math.max.apply(null, y);
      for (row = 0; row < SIDE * SIDE; row++) {
        var own = seen.predicted.values.subarray(row * width, (row + 1) * width);
        if (!spec.classes.length) values.push(2 * (own[0] - low) / (high - low || 1) - 1);
        else if (width === 2) values.push(2 * own[1] - 1);
        else {
          var best = 0;
          for (k = 1; k < width; k++) if (own[k] > own[best]) best = k;
          values.push(mixed(palette.paper, series[best % 4], 0.6 * own[best]));
        }
      }
      raster(scratch, values, palette);
      context.imageSmoothingEnabled = true;
      context.drawImage(scratch, 0, 0, map.width, map.height);
      var side = map.width;
      for (row = 0; row < y.length; row++) {
        var kind = spec.classes.length ? y[row] : y[row] > (low + high) / 2 ? 1 : 0;
        var across = (set.x[2 * row] - limits[0]) / (limits[1] - limits[0]) * side, up = side - (set.x[2 * row + 1] - limits[0]) / (limits[1] - limits[0]) * side;
        context.beginPath();
        if (kind === 0) context.arc(across, up, 8, 0, 7);
        else if (kind === 1) context.rect(across - 7, up - 7, 14, 14);
        else { context.moveTo(across, up - 10); context.lineTo(across + 9, up + 7); context.lineTo(across - 9, up + 7); context.closePath(); }
        context.fillStyle = css(series[kind % 4]);
        context.strokeStyle = css(palette.paper);
        context.lineWidth = 3;
        context.fill();
        context.stroke();
      }
      var classes = session.classes(), signs = ["● ", "■ ", "▲ "];
      mapSays.textContent = (classes.length ? classes.map(function (each, at) { return signs[Math.min(at, 2)] + each; }).join(", ") + ". " : "")
        + spec.features[0] + " to the right and " + spec.features[1] + " upwards, each from " + amount(session.settings.scale * limits[0]) + " to " + amount(session.settings.scale * limits[1]) + ".";
      map.setAttribute("aria-label", "What the network says over the plane of " + spec.features.join(" and "));
    }

    function drawFit(seen, limits) {  // of one feature: what the network says over it, and the rows
      var set = session.set(), width = seen.predicted.width, isClasses = spec.classes.length > 0, shownClass = width - 1, places = grid(limits);
      var values = places.map(function (_, at) { return seen.predicted.values[at * width + shownClass]; });
      var known = values.concat(isClasses ? [0, 1] : set.y).filter(Number.isFinite), low = Math.min.apply(null, known), high = Math.max.apply(null, known);
      var room = 0.06 * (high - low || 1), floor = low - room, top = high + room;
      function over(x) { return 46 + 322 * (x - limits[0]) / (limits[1] - limits[0]); }
      function up(y) { return 214 - 200 * (y - floor) / (top - floor); }
      var path = "", pen = "M", every = Math.max(1, Math.ceil(set.y.length / 160)), dots = [];
      values.forEach(function (value, at) {
        if (!Number.isFinite(value)) { pen = "M"; return; }
        path += pen + over(places[at]).toFixed(1) + " " + up(value).toFixed(1);
        pen = "L";
      });
      for (var row = 0; row < set.y.length; row += every)
        dots.push("M" + over(set.x[row]).toFixed(1) + " " + up(isClasses ? (set.y[row] === shownClass ? 1 : 0) : set.y[row]).toFixed(1) + "h0");
      var says = isClasses ? "The line is how sure it is of " + session.classes()[shownClass] + "; dots are the rows, at 1 where they are of it."
        : "The line is the network's; dots are the rows" + (every > 1 ? ", each " + every + "th of them." : ".");
      fitSays.textContent = says + " " + spec.features[0] + " from " + amount(session.settings.scale * limits[0]) + " to " + amount(session.settings.scale * limits[1]) + ".";
      fill(fit, [put("title", {}, says), put("path", { class: "a", d: "M46 214H368" })].concat([low, high].map(function (value) {
        return put("text", { class: "e", x: 40, y: up(value) + 4 }, amount(+value.toPrecision(3)));
      }), [
        put("path", { class: "p s2", d: dots.join(""), "stroke-width": 4 }), put("path", { class: "l s1", d: path }),
        put("text", { x: 46, y: 232 }, amount(+(session.settings.scale * limits[0]).toPrecision(3))),
        put("text", { x: 368, y: 232, class: "e" }, amount(+(session.settings.scale * limits[1]).toPrecision(3))),
        put("text", { x: 207, y: 232, class: "m" }, spec.features[0])
      ]));
    }

    function drawCurve() {
      var losses = session.losses, known = losses.filter(Number.isFinite), drawn = [], i;
      if (!known.length) return fill(curve, put("text", { x: 190, y: 110, class: "m" }, "Press Step: the loss of the batch before each update appears here."));
      var high = Math.max.apply(null, known), low = Math.min.apply(null, known), isLog = low > 0 && high > 50 * low;
      var floor = isLog ? low / 1.1 : Math.min(0, low), top = isLog ? high * 1.1 : high * 1.05 || 1;
      function up(value) {
        var share = isLog ? Math.log(value / floor) / Math.log(top / floor) : (value - floor) / (top - floor);
        return 200 - 182 * share;
      }
      function over(step) { return 46 + 320 * (losses.length > 1 ? step / (losses.length - 1) : 0.5); }
      var every = Math.max(1, losses.length / 240), pen = "M", path = "", marks = [];
      for (i = 0; i < losses.length; i += every) drawn.push(Math.floor(i));
      if (drawn[drawn.length - 1] !== losses.length - 1) drawn.push(losses.length - 1);
      drawn.forEach(function (step) {
        if (!Number.isFinite(losses[step])) { pen = "M"; return; }
        path += pen + over(step).toFixed(1) + " " + up(losses[step]).toFixed(1);
        pen = "L";
      });
      var ticks = [], step = Math.pow(10, Math.floor(Math.log10((top - floor) / 4)));
      step *= (top - floor) / step > 20 ? 5 : (top - floor) / step > 8 ? 2 : 1;
      if (isLog) for (i = Math.ceil(Math.log10(floor)); i <= Math.log10(top); i++) ticks.push(Math.pow(10, i));
      else for (i = Math.ceil(floor / step); i * step <= top; i++) ticks.push(i * step);
      if (isLog && ticks.length > 6) ticks = ticks.filter(function (_, at) { return at % Math.ceil(ticks.length / 6) === 0; });
      ticks.forEach(function (value) {
        marks.push(put("path", { class: "g", d: "M46 " + up(value) + "H366" }), put("text", { class: "e", x: 40, y: up(value) + 4 }, amount(+value.toPrecision(3))));
      });
      fill(curve, [put("title", {}, "Loss of each step: " + amount(losses[0]) + " at first, " + amount(losses[losses.length - 1]) + " in the last")].concat(marks, [
        put("path", { class: "a", d: "M46 200H366" }),
        put("text", { x: 46, y: 216 }, "step 1"), put("text", { x: 366, y: 216, class: "e" }, "step " + losses.length),
        put("text", { x: 0, y: 9 }, isLog ? "loss, equal ratios" : "loss"),
        drawn.length > 1 ? put("path", { class: "l s1", d: path }) : put("path", { class: "p s1", d: path + "h0", "stroke-width": 6 })
      ]));
    }

    function weightName(path, at) {
      var shape = session.shape(path), dense = session.dense(), layer = path.split("/")[0], number = dense.indexOf(layer);
      if (shape.length === 1) return layer + " bias " + (at + 1);
      var from = number ? dense[number - 1] + " " + (Math.floor(at / shape[1]) + 1) : spec.features[Math.floor(at / shape[1])];
      return from + " → " + layer + " " + (at % shape[1] + 1);
    }

    var telling = null;  // the weight that was touched last
    function drawNetwork(slopes) {
      var dense = session.dense(), widths = [spec.features.length].concat(dense.map(function (layer) { return session.shape(layer + "/weight")[1]; }));
      var most = Math.max.apply(null, widths), pitch = Math.min(44, 300 / most), height = most * pitch + 30, off = session.off();
      function x(level) { return 40 + level * 300 / dense.length; }
      function y(level, unit) { return 24 + (most * pitch) / 2 + (unit - (widths[level] - 1) / 2) * pitch; }
      var lines = [], dots = [], state = session.state, before = session.before ? session.before.state : session.state, largest = 1e-12;
      dense.forEach(function (layer) { state["state/params/" + layer + "/weight"].forEach(function (w) { if (Number.isFinite(w)) largest = Math.max(largest, Math.abs(w)); }); });
      function tell(path, at) {
        return function () {
          telling = [path, at];
          told.textContent = weightName(path, at) + ": " + amount(before["state/params/" + path][at]) + " before the last update, gradient "
            + amount(slopes[path][at]) + ", " + amount(state["state/params/" + path][at]) + " after.";
        };
      }
      dense.forEach(function (layer, level) {
        var path = layer + "/weight", shape = session.shape(path), values = state["state/params/" + path];
        for (var at = 0; at < values.length; at++) {
          var from = Math.floor(at / shape[1]), to = at % shape[1];
          var isOff = off.indexOf(layer + "." + to) >= 0 || (level > 0 && off.indexOf(dense[level - 1] + "." + from) >= 0);
          var place = { x1: x(level), y1: y(level, from), x2: x(level + 1), y2: y(level + 1, to) };
          lines.push(put("line", Object.assign({
            class: "weight" + (values[at] < 0 ? " low" : "") + (isOff ? " off" : ""),
            "stroke-width": (0.6 + 5 * Math.min(1, Math.abs(values[at]) / largest || 0)).toFixed(2)
          }, place)));
          lines.push(put("line", Object.assign({ class: "touch", pointerenter: tell(path, at), click: tell(path, at) }, place)));
        }
      });
      widths.forEach(function (width, level) {
        for (var unit = 0; unit < width; unit++) {
          var isOff = level > 0 && off.indexOf(dense[level - 1] + "." + unit) >= 0;
          var dot = { class: "unit" + (isOff ? " off" : ""), cx: x(level), cy: y(level, unit), r: Math.min(9, pitch / 2.6) };
          if (level > 0 && session.hasBias(dense[level - 1])) dot.pointerenter = dot.click = tell(dense[level - 1] + "/bias", unit);
          dots.push(put("circle", dot));
        }
        dots.push(put("text", { class: "m", x: x(level), y: 10 }, level === 0 ? "inputs" : dense.length > 4 ? dense[level - 1].replace("hidden", "") : dense[level - 1]));
      });
      graph.setAttribute("viewBox", "0 0 380 " + Math.ceil(height + 4));
      graph.setAttribute("aria-label", "The network: " + widths.join(" to ") + " units");
      fill(graph, lines.concat(dots));
      if (telling && slopes[telling[0]] && telling[1] < slopes[telling[0]].length) tell(telling[0], telling[1])();
      else told.textContent = "Touch a line: its weight before and after the last update, and the gradient. Wide is large; dashed is negative.";
    }

    /* Of a small network all at once: a card for each unit, a line of it for each weight, joined to where it comes from. */
    function drawCards(slopes) {
      var dense = session.dense(), off = session.off(), all = 0, state = session.state, before = session.before ? session.before.state : state;
      Object.keys(slopes).forEach(function (path) { all += slopes[path].length; });
      update.hidden = all > MOST_CARDS;
      if (update.hidden) return;
      var ROW = 16, WIDE = 252, GAP = 64, LEFT = 74, most = 0, marks = [], edges = [];
      var columns = dense.map(function (layer, level) {
        var shape = session.shape(layer + "/weight"), rows = shape[0] + (session.hasBias(layer) ? 1 : 0), high = 22 + rows * ROW;
        most = Math.max(most, shape[1] * (high + 12));
        return { layer: layer, units: shape[1], ins: shape[0], high: high, x: LEFT + level * (WIDE + GAP) };
      });
      most = Math.max(most, spec.features.length * 34) + 22;
      function top(column, unit) { return 22 + (most - 22) / 2 + (unit - column.units / 2) * (column.high + 12); }
      function from(level, at) {  // where the line of a weight begins
        if (!level) return [LEFT - 30, 22 + (most - 22) / 2 + (at - (spec.features.length - 1) / 2) * 34];
        return [columns[level - 1].x + WIDE, top(columns[level - 1], at) + columns[level - 1].high / 2];
      }
      var largest = 1e-12;
      dense.forEach(function (layer) { state["state/params/" + layer + "/weight"].forEach(function (w) { if (Number.isFinite(w)) largest = Math.max(largest, Math.abs(w)); }); });
      spec.features.forEach(function (feature, at) {
        var place = from(0, at);
        marks.push(put("text", { class: "e", x: place[0] - 4, y: place[1] + 4 }, feature.slice(0, 8)));
      });
      columns.forEach(function (column, level) {
        ["before", "gradient", "after"].forEach(function (head, at) {
          marks.push(put("text", { class: "e", x: column.x + [112, 180, 246][at], y: 12 }, head));
        });
        for (var unit = 0; unit < column.units; unit++) {
          var y = top(column, unit), isOff = off.indexOf(column.layer + "." + unit) >= 0;
          marks.push(put("rect", { class: "box" + (isOff ? " off" : ""), x: column.x, y: y, width: WIDE, height: column.high, rx: 4 }));
          marks.push(put("text", { class: "t strong", x: column.x + 6, y: y + 14 }, column.layer + (column.units > 1 ? " " + (unit + 1) : "") + (isOff ? ", off" : "")));
          for (var at = 0; at <= column.ins; at++) {
            var isBias = at === column.ins, path = column.layer + (isBias ? "/bias" : "/weight");
            if (isBias && !session.hasBias(column.layer)) continue;
            var place = isBias ? unit : at * column.units + unit, floor = y + 20 + at * ROW + 11;
            var name = isBias ? "bias" : level ? dense[level - 1].replace("hidden", "") + "." + (at + 1) : spec.features[at].slice(0, 8);
            var value = state["state/params/" + path][place];
            marks.push(put("text", { x: column.x + 6, y: floor }, name));
            [before["state/params/" + path][place], slopes[path][place], value].forEach(function (each, number) {
              marks.push(put("text", { class: "e t" + (number === 2 ? " strong" : ""), x: column.x + [112, 180, 246][number], y: floor }, short(each)));
            });
            if (isBias) continue;
            var start = from(level, at), isCut = isOff || (level > 0 && off.indexOf(dense[level - 1] + "." + at) >= 0);
            edges.push(put("line", {
              class: "weight" + (value < 0 ? " low" : "") + (isCut ? " off" : ""), x1: start[0], y1: start[1], x2: column.x, y2: floor - 4,
              "stroke-width": (0.6 + 3 * Math.min(1, Math.abs(value) / largest || 0)).toFixed(2)
            }));
          }
        }
      });
      var last = columns[columns.length - 1], wide = last.x + WIDE + 2;
      cards.setAttribute("viewBox", "0 0 " + wide + " " + (most + 2));
      cards.setAttribute("aria-label", "Each weight before the last update, its gradient, and each weight after it; the same numbers stand in the table below");
      cards.style.width = wide + "px";
      fill(cards, edges.concat(marks));
      cardsSay.textContent = (session.before ? "Step " + session.steps() + ", rate " + amount(session.before.rate) + ": " : "No update yet; the gradient is the one that the first step follows. ")
        + (session.before ? "the gradient is that of the loss of this step's rows; the optimiser makes of it what is added. " : "") + "Wide lines are large weights, dashed ones negative.";
    }

    function short(value) {  // three digits
      if (!Number.isFinite(value)) return String(value).replace("Infinity", "∞");
      if (value === 0) return "0";
      return (Math.abs(value) >= 1e4 || Math.abs(value) < 1e-3 ? value.toExponential(1) : String(+value.toPrecision(3))).replace(/-/g, "−");
    }

    function drawUnits(seen, palette) {
      var dense = session.dense().slice(0, -1), layers = spec.networks[session.settings.network].layers, off = session.off(), focus = document.activeElement && document.activeElement.dataset.unit;
      var made = [];
      dense.forEach(function (layer) {
        var names = layers.map(function (each) { return each[0]; }), next = layers[names.indexOf(layer) + 1];
        var out = seen["layers/" + (next && next[1] !== "Dense" ? next[0] : layer)], width = out.width;
        for (var unit = 0; unit < width; unit++) {
          var id = layer + "." + unit, isOff = off.indexOf(id) >= 0, content = [];
          var values = [], largest = 1e-12, at;
          if (hasCurve) {
            for (at = 0; at < PLACES; at++) largest = Math.max(largest, Math.abs(out.values[at * width + unit]) || 0);
            for (at = 0; at < PLACES; at++) values.push((at / (PLACES - 1) * 60).toFixed(1) + " " + (20 - 18 * (out.values[at * width + unit] / largest || 0)).toFixed(1));
            content.push(put("svg", { viewBox: "0 0 60 40", "aria-hidden": "true" }, [put("path", { class: "a", d: "M0 20H60" }), put("path", { class: "l s1", d: "M" + values.join("L") })]));
          }
          if (hasMap) {
            for (at = 0; at < SIDE * SIDE; at++) largest = Math.max(largest, Math.abs(out.values[at * width + unit]) || 0);
            for (at = 0; at < SIDE * SIDE; at++) values.push(out.values[at * width + unit] / largest);
            var picture = put("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
            raster(picture, values, palette);
            content.push(picture);
          }
          content.push(put("span", {}, layer.replace("hidden", "") + "." + (unit + 1) + (isOff ? " off" : "")));
          made.push(button(content, toggle(id), { "data-unit": id, "aria-pressed": isOff ? "true" : "false", "aria-label": "Switch off unit " + (unit + 1) + " of " + layer }));
        }
      });
      fill(units, made.length ? made : put("p", { class: "small quiet" }, "This network has no hidden unit."));
      if (focus) made.forEach(function (each) { if (each.dataset.unit === focus) each.focus(); });
    }

    function toggle(id) { return function () { session.change("u", id); shown(); }; }

    function drawTable(slopes) {
      var before = session.before ? session.before.state : session.state, made = [], count = 0;
      Object.keys(slopes).forEach(function (path) {
        for (var at = 0; at < slopes[path].length; at++) {
          if (++count > MOST_ROWS) return;
          made.push(put("tr", {}, [put("th", { scope: "row" }, weightName(path, at))].concat(
            [before["state/params/" + path][at], slopes[path][at], session.state["state/params/" + path][at]].map(function (value) { return put("td", { class: "n" }, amount(value)); })
          )));
        }
      });
      fill(rows, made);
      more.textContent = count > MOST_ROWS ? "Of " + count + " weights the first " + MOST_ROWS + "." : "";
    }
    table.addEventListener("toggle", function () { shown(); });

    function checked() {  // against the run in Python, where this is the same one
      var own = session.settings, steps = session.steps();
      var stored = spec.runs.filter(function (each) { return each.data === own.data && each.network === own.network; })[0];
      if (!stored || !session.isStored() || own.scale !== 1 || session.events.length) return "";
      var passed = stored.losses.filter(function (each) { return each[0] <= steps; }).pop();
      if (!passed) return "These are the first values of the run in Python; its losses are compared as you come to them.";
      var here = session.losses[passed[0] - 1], off = Math.abs(here - passed[1]) / Math.max(Math.abs(passed[1]), 1e-300);
      return "Step " + passed[0] + " in Python: loss " + passed[1].toPrecision(8) + "; here it is " + here.toPrecision(8) + (off === 0 ? ", the same to the last digit." : off < 1e-6 ? ", the same to " + off.toExponential(0) + "." : ": they differ.");
    }

    function shown(isShort) {  // short: not what takes long, while it runs
      var palette = colours(), limits = count ? reach() : null;
      var all = session.see(count ? grid(limits).concat(session.set().x) : session.set().x), seen = part(all, count, count + session.set().y.length), steps = session.steps(), right = session.right(seen);
      var slopes = session.gradient(), loss = session.losses[steps - 1], found = session.findings(seen);
      said.textContent = "step " + steps + (steps ? " · loss " + amount(loss) : "") + (right === null ? "" : " · " + Math.round(100 * right) + " % right");
      said.dataset.loss = steps ? loss : "";
      said.dataset.steps = steps;
      check.textContent = checked();
      var words = found.length ? found.map(function (each) { return put("p", {}, [put("span", { class: "badge warn" }, "! " + each.name), " " + each.says + " ", put("span", { class: "small quiet" }, "Rule " + each.rule + ".")]); })
        : [put("p", { class: "quiet" }, "The doctor's rules that are watched here find nothing.")];
      if (finding.textContent !== words.map(function (each) { return each.textContent; }).join("")) fill(finding, words);
      data[1].value = session.settings.data;
      network[1].value = session.settings.network;
      if (document.activeElement !== seed) seed.value = session.settings.seed;
      rate[1].show(session.rate());
      var own = session.settings.sd;
      sd[1].show(own === null ? spread() : own, own !== null ? "" : session.isStored() ? " (as in Python)" : " (drawn anew)");
      drawTime();
      drawCurve();
      if (hasCurve) drawFit(part(all, 0, count), limits);
      if (hasMap) drawMap(part(all, 0, count), limits, palette);
      if (isShort) return;
      drawNetwork(slopes);
      drawCards(slopes);
      if (table.open) drawTable(slopes);
      drawUnits(count ? part(all, 0, count) : seen, palette);
      link();
    }

    function spread() {  // root mean square of the first layer's first weights
      var values = session.first["state/params/" + session.dense()[0] + "/weight"], sum = 0;
      values.forEach(function (w) { sum += w * w / values.length; });
      return Math.sqrt(sum);
    }

    var firstWord = session.word(), later = 0, drawing = 0, pictured = 0;
    function link() {  // a little later: browsers take few changes of a link at a time
      clearTimeout(later);
      later = setTimeout(function () {
        var all = places(), word = session.word();
        if (isRunning || (word === firstWord && !all[name]) || session.settings.data >= spec.data.length) return;
        all[name] = word;
        history.replaceState(null, "", "#" + Object.keys(all).map(function (key) { return encodeURIComponent(key) + "=" + encodeURIComponent(all[key]); }).join("&"));
      }, 200);
    }

    function pause() { isRunning = false; cancelAnimationFrame(frame); run.textContent = "Run"; }
    function go() {
      isRunning = true;
      run.textContent = "Pause";
      frame = requestAnimationFrame(onwards);
    }
    function onwards() {
      if (!isRunning) return;
      // As long on steps as on drawing, but for the first ones, which are worth seeing; at most 20 to a picture.
      var start = performance.now(), count = session.steps() < 10 ? 1 : 20;
      while (count-- > 0 && performance.now() < start + Math.max(12, drawing)) session.step(1);
      if (!Number.isFinite(session.losses[session.steps() - 1])) pause();
      start = performance.now();
      shown(isRunning && ++pictured % 4 > 0);
      drawing = performance.now() - start;
      if (isRunning) frame = requestAnimationFrame(onwards);
    }

    function fromLink() {
      var word = places()[name];
      if (word && word !== session.word()) { pause(); session.read(word); }
      shown();
    }
    window.addEventListener("hashchange", fromLink);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { shown(); });
    root.classList.add("on");
    fromLink();
  }

  [].slice.call(document.querySelectorAll(".replay")).forEach(Replay);
})();
