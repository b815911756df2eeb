/* A training that a page runs: settings, first values, batches, steps forward and back, what the doctor would say.
   No document here, so that node can test it. It needs `Interpreter`. Everything follows from the settings: the same
   settings, seed included, give the same numbers. */
var Session = (function (Interpreter) {
  "use strict";
  var ACTIVATIONS = { Relu: 1, Tanh: 1, Sigmoid: 1 };  // whose slopes are watched
  var KEEP = 50;  // steps between two states that are kept for going back

  /* Uniform numbers in [0, 1): mulberry32 (T. Ettinger, public domain), a counter of 32 bits that is mixed. */
  function generator(seed) {
    var counter = seed >>> 0;
    return function () {
      counter = (counter + 0x6D2B79F5) >>> 0;
      var mixed = Math.imul(counter ^ (counter >>> 15), counter | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  }

  function normal(uniform) { return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()); }  // Box and Muller

  function shuffled(count, seed) {  // Fisher and Yates
    var uniform = generator(seed), order = [];
    for (var i = 0; i < count; i++) {
      var j = Math.floor(uniform() * (i + 1));
      order[i] = order[j];
      order[j] = i;
    }
    return order;
  }

  function rms(values) {
    var sum = 0;
    for (var i = 0; i < values.length; i++) sum += values[i] * values[i];
    return Math.sqrt(sum / Math.max(1, values.length));
  }

  function apart(values, units) {  // root mean square of what tells the units, the last axis, from their mean
    var left = new Float64Array(values.length);
    for (var row = 0; row < values.length; row += units) {
      var mean = 0, unit;
      for (unit = 0; unit < units; unit++) mean += values[row + unit] / units;
      for (unit = 0; unit < units; unit++) left[row + unit] = values[row + unit] - mean;
    }
    return rms(left);
  }

  function mean(values) { return values.reduce(function (sum, each) { return sum + each / values.length; }, 0); }

  function median(values) {
    var sorted = values.slice().sort(function (a, b) { return a - b; }), half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }

  function share(values, least) { return values.filter(function (each) { return each >= least; }).length / values.length; }

  function percent(part) { return Math.round(100 * part) + " %"; }

  function columnOf(values, width, at, rows) {  // mean and standard deviation of a column
    var sum = 0, squares = 0, row;
    for (row = 0; row < rows; row++) sum += values[row * width + at] / rows;
    for (row = 0; row < rows; row++) squares += Math.pow(values[row * width + at] - sum, 2) / rows;
    return { mean: sum, sd: Math.sqrt(squares) };
  }

  function finite(values) { return Array.prototype.every.call(values, Number.isFinite); }

  /* Rows of numbers with a last column of classes or numbers: "1.5,2,yes". A first line without numbers is a head.
     Gives { x, y, classes }, or throws an Error whose message is for the reader. */
  function table(text, features, classes) {
    var lines = text.split(/\r?\n/).filter(function (line) { return line.trim(); });
    var rows = lines.map(function (line) { return line.split(/[,;\t]/).map(function (cell) { return cell.trim(); }); });
    if (rows.length && rows[0].slice(0, features).every(function (cell) { return !Number.isFinite(Number(cell)); })) rows.shift();
    if (rows.length < 2) throw new Error("At least two rows are needed: " + features + " numbers and a class in each.");
    var x = [], y = [], names = classes.slice(), own = [];
    rows.forEach(function (row, number) {
      if (row.length !== features + 1)
        throw new Error("Row " + (number + 1) + " has " + row.length + " columns; " + features + " numbers and a class are needed.");
      row.slice(0, features).forEach(function (cell) {
        if (cell === "" || !Number.isFinite(Number(cell))) throw new Error("Row " + (number + 1) + ": " + cell + " is no number.");
        x.push(Number(cell));
      });
      var last = row[features];
      if (!classes.length) {
        if (last === "" || !Number.isFinite(Number(last))) throw new Error("Row " + (number + 1) + ": " + last + " is no number.");
        y.push(Number(last));
      } else if (own.indexOf(last) < 0) own.push(last);
    });
    if (classes.length) {
      if (own.length > classes.length) throw new Error("There are " + own.length + " classes; this network tells " + classes.length + " apart.");
      if (!own.every(function (name) { return classes.indexOf(name) >= 0; })) names = own.sort().concat(classes.slice(own.length));
      y = rows.map(function (row) { return names.indexOf(row[features]); });
    }
    return { x: x, y: y, classes: names };
  }

  function Session(spec) {
    this.spec = spec;
    this.compiled = {};
    this.sets = spec.data.slice();
    this.settings = { data: 0, network: 0, seed: spec.seed, sd: null, scale: 1 };
    this.reset();
  }

  Session.prototype = {
    network: function () { return this.spec.networks[this.settings.network]; },
    set: function () { return this.sets[this.settings.data]; },
    classes: function () { return this.set().classes || this.spec.classes; },

    program: function (name) {  // compiled once for each network
      var number = this.network().programs, key = number + name;
      if (!this.compiled[key]) this.compiled[key] = Interpreter.compile(this.spec.programs[number][name]);
      return this.compiled[key];
    },

    isStored: function () {  // whether the first values are those of the run in Python
      return this.settings.seed === this.spec.seed && this.settings.sd === null;
    },

    /* Settings as given over the present ones; training begins anew. */
    reset: function (changed) {
      Object.assign(this.settings, changed || {});
      this.rows = this.set().y.length;
      this.events = [];  // [step, kind, value]
      var own = this.network(), settings = this.settings, uniform = generator(settings.seed), state = {}, isStored = this.isStored();
      Object.keys(own.first).forEach(function (path) {
        var shape = own.first[path].shape, values = Float64Array.from(own.first[path].data, Number);
        var mean = own.drawn[path][0], sd = own.drawn[path][1];
        if (settings.sd !== null) {  // of weights; biases as the network has them, but zero where all is to be zero
          mean = shape.length > 1 || !settings.sd ? 0 : mean;
          sd = shape.length > 1 || !settings.sd ? settings.sd : sd;
        }
        if (!isStored) values = values.map(function () { return sd ? mean + sd * normal(uniform) : mean; });
        state["state/params/" + path] = values;
      });
      Object.keys(own.state).forEach(function (name) { state[name] = typeof own.state[name] === "number" ? new Float64Array(own.state[name]) : Float64Array.from(own.state[name], Number); });
      this.state = this.first = state;
      this.kept = { 0: state };
      this.before = null;
      this.losses = [];
      return this;
    },

    steps: function () { return this.losses.length; },

    /* A change within the training, from the present step on: a rate ("r"), or a unit switched off or on ("u"). */
    change: function (kind, value) {
      var now = this.steps();
      this.events = this.events.filter(function (each) { return each[0] < now || (each[0] === now && (each[1] === "u" || kind === "u")); });
      this.events.push([now, kind, value]);
      Object.keys(this.kept).forEach(function (step) { if (step > now) delete this.kept[step]; }, this);
    },

    rate: function () {
      var now = this.steps(), found = this.spec.learning_rate;
      this.events.forEach(function (each) { if (each[1] === "r" && each[0] <= now) found = each[2]; });
      return found;
    },

    off: function () {  // names of the units that are switched off, such as "hidden1.3"
      var now = this.steps(), found = {};
      this.events.forEach(function (each) { if (each[1] === "u" && each[0] <= now) found[each[2]] = !found[each[2]]; });
      return Object.keys(found).filter(function (name) { return found[name]; });
    },

    dense: function () {  // names of the layers of weights
      return this.network().layers.filter(function (each) { return each[1] === "Dense"; }).map(function (each) { return each[0]; });
    },

    shape: function (path) { return this.network().first[path].shape; },

    hasBias: function (layer) { return layer + "/bias" in this.network().first; },

    /* Where the numbers of a unit lie: [path, positions] of what comes in and goes out, out first. */
    unit: function (name) {
      var layer = name.split(".")[0], number = Number(name.split(".")[1]), dense = this.dense();
      var next = dense[dense.indexOf(layer) + 1], own = this.shape(layer + "/weight"), out = this.shape(next + "/weight");
      var column = [], row = [], i;
      for (i = 0; i < own[0]; i++) column.push(i * own[1] + number);
      for (i = 0; i < out[1]; i++) row.push(number * out[1] + i);
      return [[next + "/weight", row], [layer + "/weight", column]].concat(this.hasBias(layer) ? [[layer + "/bias", [number]]] : []);
    },

    /* The parameters as they act: what goes out of units that are switched off is 0. */
    acting: function () {
      var state = Object.assign({}, this.state);
      this.off().forEach(function (name) {
        var last = this.unit(name)[0], path = "state/params/" + last[0];
        state[path] = state[path].slice();
        last[1].forEach(function (at) { state[path][at] = 0; });
      }, this);
      return state;
    },

    order: function (epoch) {
      if (this.rows === this.spec.batch_size) return null;  // every row in every step
      var key = this.settings.seed + " " + epoch + " " + this.rows;
      if (this.orderKey !== key) { this.orderKey = key; this.orderKept = shuffled(this.rows, this.settings.seed * 7919 + epoch + 1); }
      return this.orderKept;
    },

    /* The rows of a step: all of them in order where they are as many as a batch, else one shuffled pass after the other. */
    batch: function (step) {
      var size = this.spec.batch_size, set = this.set(), features = this.spec.features.length, x = [], y = [], scale = this.settings.scale;
      for (var i = 0; i < size; i++) {
        var at = step * size + i, order = this.order(Math.floor(at / this.rows)), row = order ? order[at % this.rows] : i;
        for (var j = 0; j < features; j++) x.push(scale * set.x[row * features + j]);
        y.push.apply(y, this.spec.targets ? this.spec.targets[set.y[row]] : [set.y[row]]);
      }
      return { "batch/x": Float64Array.from(x), "batch/y": Float64Array.from(y) };
    },

    step: function (count) {
      for (count = count === undefined ? 1 : count; count > 0; count--) this.one();
      return this;
    },

    one: function () {
      var number = this.steps(), given = this.acting(), off = this.off(), now = this.state, rate = this.rate();
      Object.assign(given, this.batch(number));
      Object.keys(this.spec.hyper).forEach(function (name) { given["hyper/" + name] = this.spec.hyper[name]; }, this);
      given["hyper/learning_rate"] = rate;
      given["hyper/step"] = number + 1;
      var found = this.program("step")(given), next = {};
      Object.keys(now).forEach(function (name) { next[name] = found[name]; });
      off.forEach(function (name) {  // a unit that is off rests, with what its optimiser keeps
        this.unit(name).forEach(function (part) {
          Object.keys(now).forEach(function (key) {
            if (key !== "state/params/" + part[0] && key.indexOf("state/optimiser/" + part[0] + "/") !== 0) return;
            if (next[key].length !== now["state/params/" + part[0]].length) return;
            next[key] = next[key].slice();
            part[1].forEach(function (at) { next[key][at] = now[key][at]; });
          });
        });
      }, this);
      this.before = { state: now, acting: given, rate: rate };
      this.state = next;
      this.losses.push(found.loss[0]);
      if (this.steps() % KEEP === 0) this.kept[this.steps()] = next;
    },

    /* Back to a step, by the nearest state that was kept before it. */
    back: function (to) {
      to = Math.max(0, to);
      var from = to <= 0 ? 0 : Math.floor((to - 1) / KEEP) * KEEP;  // one before, so that the last update is known
      while (from > 0 && !this.kept[from]) from -= KEEP;
      this.state = this.kept[from];
      this.before = null;
      this.losses.length = from;
      return this.step(to - from);
    },

    /* The gradient that caused the last update, by path; before the first step that of the first batch. */
    gradient: function () {
      return this.slopes(this.before ? this.before.acting : Object.assign(this.acting(), this.batch(0))).gradient;
    },

    slopes: function (given) {  // of parameters and a batch: { gradient: by path, flow: through each layer of weights }
      var named = {}, found = { gradient: {}, flow: {} };
      Object.keys(given).forEach(function (name) { named[name.replace("state/params/", "params/")] = given[name]; });
      var all = this.program("gradient")(named);
      Object.keys(all).forEach(function (name) {
        if (name.indexOf("gradient/") === 0) found.gradient[name.slice(9)] = all[name];
        if (name.indexOf("flow/") === 0) found.flow[name.slice(5)] = all[name][0];
      });
      return found;
    },

    /* What the network says of rows: { predicted, layers: { name: values } }, each with `width` numbers a row. */
    see: function (x, params) {
      var features = this.spec.features.length, count = x.length / features, seen = this.spec.seen, state = params || this.acting();
      var given = {}, result = null, scale = this.settings.scale;
      Object.keys(state).forEach(function (name) { given[name.replace("state/params/", "params/")] = state[name]; });
      for (var start = 0; start < count; start += seen) {
        var rows = new Float64Array(seen * features), left = Math.min(seen, count - start);
        for (var i = 0; i < left * features; i++) rows[i] = scale * x[start * features + i];
        given.x = rows;
        var found = this.program("forward")(given);
        if (!result) result = {};
        Object.keys(found).forEach(function (name) {
          var width = found[name].length / seen;
          if (!result[name]) result[name] = { width: width, values: new Float64Array(count * width) };
          result[name].values.set(found[name].subarray(0, left * width), start * width);
        });
      }
      return result;
    },

    /* The share of rows whose class is told, or null for numbers. */
    right: function (seen) {
      if (!this.spec.classes.length) return null;
      var predicted = seen.predicted, y = this.set().y, hits = 0;
      for (var row = 0; row < y.length; row++) {
        var best = 0;
        for (var k = 1; k < predicted.width; k++)
          if (predicted.values[row * predicted.width + k] > predicted.values[row * predicted.width + best]) best = k;
        if (best === y[row] && Number.isFinite(predicted.values[row * predicted.width])) hits++;
      }
      return hits / y.length;
    },

    constantLoss: function () {  // the lowest mean loss of one output for all rows: entropy, or half the variance
      var counts = {}, y = this.set().y, sum = 0, mean = 0;
      if (this.spec.constant === "unknown") return Infinity;
      if (this.spec.constant === "variance") {
        y.forEach(function (each) { mean += each / y.length; });
        y.forEach(function (each) { sum += (each - mean) * (each - mean) / 2 / y.length; });
        return sum;
      }
      y.forEach(function (each) { counts[each] = (counts[each] || 0) + 1; });
      Object.keys(counts).forEach(function (each) { sum -= counts[each] / y.length * Math.log(counts[each] / y.length); });
      return sum;
    },

    /* Root of the mean over units of the variance over rows of a layer's outputs. */
    spread: function (layer) {
      var rows = layer.values.length / layer.width, sum = 0;
      for (var unit = 0; unit < layer.width; unit++) sum += Math.pow(columnOf(layer.values, layer.width, unit, rows).sd, 2) / layer.width;
      return Math.sqrt(sum);
    },

    /* Of each unit of an activation the share of rows on which its slope is below a twentieth of the largest, and 0. */
    flatness: function (kind, layer) {
      var rows = layer.values.length / layer.width, flat = [], still = [];
      for (var unit = 0; unit < layer.width; unit++) {
        var low = 0, none = 0;
        for (var row = 0; row < rows; row++) {
          var a = layer.values[row * layer.width + unit];
          var slope = kind === "Relu" ? (a > 0 ? 1 : 0) : kind === "Tanh" ? 1 - a * a : 4 * a * (1 - a);  // of the largest
          if (slope === 0) none++;
          if (slope < this.spec.watch.flat) low++;
        }
        flat.push(low / rows);
        still.push(none / rows);
      }
      return { flat: flat, still: still };
    },

    /* Of a state what the rules of signals and gradients need; `seen`: of the rows of the data. */
    probe: function (state, step, seen) {
      var found = { flat: {}, still: {}, isDead: false, seen: seen, slopes: this.slopes(Object.assign({}, state, this.batch(step))) };
      this.network().layers.forEach(function (each) {
        if (!ACTIVATIONS.hasOwnProperty(each[1])) return;
        var own = this.flatness(each[1], seen["layers/" + each[0]]);
        found.flat[each[0]] = own.flat;
        found.still[each[0]] = own.still;
        if (share(own.still, 1) > this.spec.watch.flow_dead) found.isDead = true;
      }, this);
      return found;
    },

    firstProbe: function () {  // once for each beginning
      var key = JSON.stringify([this.settings, this.set().y.length]);
      if (!this.probed || this.probed.state !== this.first || this.probed.key !== key)
        this.probed = { state: this.first, key: key, found: this.probe(this.first, 0, this.see(this.set().x, this.first)) };
      return this.probed.found;
    },

    /* What the doctor's rules find now, by their thresholds: [{ name, rule, says }]. `seen`: of the rows of the data. */
    findings: function (seen) {
      var found = [], losses = this.losses, state = this.state;
      function say(name, rule, says) { found.push({ name: name, rule: rule, says: says }); }
      var params = Object.keys(state).filter(function (name) { return name.indexOf("state/params/") === 0; });
      var isFinite = finite(losses.slice(-1)) && params.every(function (name) { return finite(state[name]); });
      if (losses.length && !isFinite)
        say("nan_inf", "NonFinite", "In step " + losses.length + " the loss or a weight became infinite or not a number.");
      this.findInputs(say);
      var first = this.firstProbe(), now = isFinite || !losses.length ? this.probe(this.acting(), losses.length, seen) : null;
      this.findDrawn(say, first);
      if (now) {
        this.findEqual(say, now);
        this.findUnits(say, now);
      }
      this.findFlow(say, now ? [first, now] : [first]);
      if (now) this.findGrowth(say);
      return found;
    },

    findInputs: function (say) {
      var watch = this.spec.watch, x = this.set().x, features = this.spec.features, width = features.length, rows = x.length / width, scale = this.settings.scale;
      var columns = features.map(function (_, at) {
        var own = columnOf(x, width, at, rows);
        return { mean: scale * own.mean, sd: scale * own.sd };
      });
      var sds = columns.map(function (each) { return each.sd; }), known = sds.filter(function (sd) { return sd > 0; }), usual = median(known);
      var size = scale * rms(x), wide = [], far = [];
      columns.forEach(function (each, at) {
        if (each.sd > watch.input_apart * usual) wide.push(features[at]);
        if (each.sd > 0 && Math.abs(each.mean) > watch.input_shifted * each.sd) far.push(features[at]);
      });
      if (!known.length) say("double_scaled_or_constant", "InputScale", "All inputs are the same on all rows: nothing can be told by them.");
      else if (rms(sds) < watch.input_small)
        say("double_scaled_or_constant", "InputScale", "The inputs hardly differ: their standard deviation is " + rms(sds).toPrecision(2) + "; scaled twice, perhaps.");
      else if (wide.length)
        say("unscaled_inputs", "InputScale", "Columns are of very different scales: the standard deviation of " + wide.join(", ") + " is up to " + (Math.max.apply(null, known) / usual).toPrecision(2) + " times the usual one.");
      else if (far.length > watch.input_share * known.length)
        say("unscaled_inputs", "InputScale", far.join(", ") + ": far from 0, by more than " + watch.input_shifted + " standard deviations.");
      else if (size > watch.input_large)
        say("unscaled_inputs", "InputScale", "The inputs are large: their root mean square is " + size.toPrecision(3) + ", where about 1 is usual.");
    },

    findDrawn: function (say, first) {
      var watch = this.spec.watch, session = this, hidden = this.dense().slice(0, -1), layers = this.network().layers, x = this.set().x;
      if (!hidden.length) return;
      var isEqual = hidden.some(function (layer) {
        var values = session.first["state/params/" + layer + "/weight"];
        return apart(values, session.shape(layer + "/weight")[1]) <= watch.drawn_equal * rms(values);
      });
      if (isEqual) return;  // what weights that are all equal make is told otherwise
      var given = this.settings.scale * this.spread({ values: x, width: this.spec.features.length });
      var last = hidden[hidden.length - 1], behind = this.spread(first.seen["layers/" + last]), change = given > 0 ? behind / given : 1;
      var flat = layers.slice(0, -1).filter(function (each) { return each[1] === "Sigmoid" || each[1] === "Tanh"; }).map(function (each) {
        return [each[0], mean(first.flat[each[0]])];
      }).sort(function (a, b) { return b[1] - a[1]; })[0];
      var hasSigmoid = layers.some(function (each) { return each[1] === "Sigmoid"; });
      if ((change < 1 / watch.drawn_factor && !hasSigmoid) || change > watch.drawn_factor)
        say("bad_init_scale", "DrawnScale", "At the first weights signals " + (change < 1 ? "fade" : "grow") + ": behind " + last + " their standard deviation over rows is " + behind.toPrecision(2)
          + ", that of the inputs " + given.toPrecision(2) + ", a factor of " + Math.pow(change, 1 / hidden.length).toPrecision(2) + " a layer.");
      else if (flat && flat[1] > watch.drawn_flat)
        say("bad_init_scale", "DrawnScale", "At the first weights " + percent(flat[1]) + " of the outputs of " + flat[0] + " are saturated.");
    },

    findEqual: function (say, now) {
      var watch = this.spec.watch, session = this, stuck = [], equal = [];
      this.dense().slice(0, -1).forEach(function (layer) {
        var path = layer + "/weight", units = session.shape(path)[1];
        function alike(values) { return apart(values, units) <= watch.equal_apart * rms(values); }
        if (units < 2) return;
        if (alike(session.state["state/params/" + path]) && alike(now.slopes.gradient[path])) stuck.push(layer);
        if (alike(session.first["state/params/" + path])) equal.push(layer);
      });
      if (stuck.length)
        say("zero_or_symmetric_weights", "EqualWeights", "All units of " + stuck.join(" and ") + " have the same weights and gradients, and so stay equal.");
      else if (equal.length)
        say("zero_or_symmetric_weights", "EqualWeights", "All units of " + equal.join(" and ") + " began with the same weights: they saw the same.");
    },

    findUnits: function (say, now) {
      var watch = this.spec.watch, dead = [], saturated = [];
      this.network().layers.forEach(function (each) {
        if (each[1] === "Relu" && share(now.still[each[0]], 1) > watch.dead_units) dead.push(percent(share(now.still[each[0]], 1)) + " of the units of " + each[0]);
        if ((each[1] === "Tanh" || each[1] === "Sigmoid") && share(now.flat[each[0]], watch.flat_rows) > watch.flat_units)
          saturated.push(percent(share(now.flat[each[0]], watch.flat_rows)) + " of the units of " + each[0]);
      });
      if (dead.length) say("dead_relu", "DeadUnits", dead.join(", ") + " are 0 on every row.");
      if (saturated.length) say("saturated_units", "DeadUnits", saturated.join(", ") + " are saturated.");
    },

    findFlow: function (say, probes) {
      var watch = this.spec.watch, hidden = this.dense().slice(0, -1), last = hidden[hidden.length - 1], ratios = [];
      if (hidden.length < 3) return;
      probes.forEach(function (each) {
        if (!each.isDead && each.slopes.flow[last] > 0) ratios.push(each.slopes.flow[hidden[0]] / each.slopes.flow[last]);
      });
      var low = Math.min.apply(null, ratios), high = Math.max.apply(null, ratios);
      function layer(ratio) { return Math.pow(ratio, 1 / (hidden.length - 1)).toPrecision(2); }
      if (ratios.length && low < watch.fades)
        say("vanishing_gradient", "GradientFlow", "The gradient fades on its way back (vanishing gradient): at " + hidden[0] + " it is " + low.toPrecision(2) + " of what it is at " + last + ", a factor of " + layer(low) + " a layer.");
      else if (high > watch.grows && high < Infinity)
        say("exploding_gradient", "GradientFlow", "The gradient grows on its way back (exploding gradient): at " + hidden[0] + " it is " + high.toPrecision(2) + " times what it is at " + last + ", a factor of " + layer(high) + " a layer.");
    },

    findGrowth: function (say) {
      var watch = this.spec.watch, losses = this.losses, width = watch.window, count = Math.floor(losses.length / width), means = [], level = this.constantLoss();
      for (var number = 0; number < count; number++) means.push(mean(losses.slice(losses.length - (count - number) * width).slice(0, width)));
      var recent = means.slice(-watch.windows), lowest = Math.min.apply(null, means.concat(losses.slice(0, 1)));
      if (count > watch.windows && finite(losses) && recent.every(function (each) {
        return each - lowest > (watch.times - 1) * Math.abs(lowest) && each > level + 0.2 * Math.abs(level);
      }))
        say("diverging", "Diverging", "The error is increasing: the loss is " + recent[recent.length - 1].toPrecision(3) + ", after " + lowest.toPrecision(3) + ".");
    },

    /* Settings as a word of the link, and back. Own data are not in it. */
    word: function () {
      var own = this.settings, parts = ["data:" + own.data, "network:" + own.network, "seed:" + own.seed, "steps:" + this.steps()];
      if (own.sd !== null) parts.push("sd:" + own.sd);
      if (own.scale !== 1) parts.push("scale:" + own.scale);
      if (this.events.length) parts.push("events:" + this.events.map(function (each) { return each.join("!"); }).join("+"));
      return parts.join(";");
    },

    read: function (word) {
      var given = {};
      word.split(";").forEach(function (part) { var at = part.indexOf(":"); given[part.slice(0, at)] = part.slice(at + 1); });
      function number(name, usual, low, high) {
        var value = Number(given[name]);
        return given[name] === undefined || !Number.isFinite(value) ? usual : Math.min(Math.max(value, low), high);
      }
      this.reset({
        data: Math.round(number("data", 0, 0, this.sets.length - 1)),
        network: Math.round(number("network", 0, 0, this.spec.networks.length - 1)),
        seed: Math.round(number("seed", this.spec.seed, 0, 4294967295)),
        sd: number("sd", null, 0, 1e6),
        scale: number("scale", 1, 1e-6, 1e6)
      });
      var dense = this.dense(), session = this;
      (given.events || "").split("+").forEach(function (each) {
        var parts = each.split("!"), step = Number(parts[0]), value = parts[1] === "r" ? Number(parts[2]) : parts[2];
        if (!Number.isFinite(step) || parts.length !== 3) return;
        if (parts[1] === "r" && value >= 0) session.events.push([step, "r", value]);
        if (parts[1] === "u" && dense.slice(0, -1).some(function (layer) {
          var unit = Number(value.split(".")[1]);
          return value.split(".")[0] === layer && Number.isInteger(unit) && unit >= 0 && unit < session.shape(layer + "/weight")[1];
        })) session.events.push([step, "u", value]);
      });
      return this.step(Math.round(number("steps", 0, 0, 5000)));
    },

    own: function (text) {  // data of the reader; throws what is wrong with them
      var found = table(text, this.spec.features.length, this.spec.classes);
      this.sets = this.spec.data.concat([{ name: "own data", x: found.x, y: found.y, classes: found.classes }]);
      return this.reset({ data: this.sets.length - 1 });
    },

    /* A script of Python that trains the same from the same first values. */
    python: function () {
      var set = this.set(), features = this.spec.features.length, first = this.first, scale = this.settings.scale, rows = [];
      for (var row = 0; row < this.rows; row++)
        rows.push("[" + set.x.slice(row * features, (row + 1) * features).map(function (each) { return scale * each; }).join(", ") + "]");
      function array(values, shape) { return "np.reshape([" + Array.from(values).join(", ") + "], (" + shape.join(", ") + ",))"; }
      var params = Object.keys(this.network().first).map(function (path) {
        return "    \"" + path + "\": " + array(first["state/params/" + path], this.shape(path)) + ",";
      }, this);
      var words = {
        X: "[" + rows.join(", ") + "]", Y: "[" + set.y.join(", ") + "]", NETWORK: this.network().source, FIRST: params.join("\n"),
        RATE: this.rate(), BATCH: Math.min(this.spec.batch_size, this.rows), SEED: this.settings.seed,
        EPOCHS: Math.max(1, Math.ceil(this.steps() * this.spec.batch_size / this.rows)),
        NOTE: this.off().length ? "# Switched off in the page, and not here: " + this.off().join(", ") + "\n" : ""
      };
      return this.spec.python.replace(/@([A-Z]+)@/g, function (whole, name) { return name in words ? words[name] : whole; });
    },

    weights: function () {  // as JSON: path, shape and numbers of each parameter
      var found = {};
      Object.keys(this.network().first).forEach(function (path) {
        found[path] = { shape: this.shape(path), data: Array.from(this.state["state/params/" + path]) };
      }, this);
      return JSON.stringify({ network: this.network().source, settings: this.word(), params: found }, null, 1);
    }
  };

  Session.table = table;
  Session.generator = generator;
  Session.normal = normal;
  return Session;
})(typeof require === "function" && typeof module !== "undefined" ? require("./interpreter.js") : Interpreter);
if (typeof module !== "undefined") module.exports = Session;
