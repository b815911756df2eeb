/* Runs traced programs: what replay.py writes as JSON. Every value is a Float64Array in row-major order, truth is 1 or 0;
   shapes are known before the first run, so each node becomes a function of arrays once. Values are never changed in place.

     var run = Interpreter.compile(program);
     var results = run({ "state/params/output/bias": [0], "batch/x": [...], ... });   // name -> Float64Array

   Works as part of a page and in node (module.exports). No dependency. */
var Interpreter = (function () {
  "use strict";

  function size(shape) { return shape.reduce(function (product, length) { return product * length; }, 1); }

  function strides(shape) {  // how far apart neighbours along each axis lie
    var found = [], step = 1;
    for (var axis = shape.length - 1; axis >= 0; axis--) { found[axis] = step; step *= shape[axis]; }
    return found;
  }

  function places(shape, steps, start) {  // for each element of `shape`, in order, where it lies in another array
    var count = size(shape), found = new Int32Array(count), index = shape.map(function () { return 0; }), at = start || 0;
    for (var i = 0; i < count; i++) {
      found[i] = at;
      for (var axis = shape.length - 1; axis >= 0; axis--) {
        at += steps[axis];
        if (++index[axis] < shape[axis]) break;
        at -= steps[axis] * shape[axis];
        index[axis] = 0;
      }
    }
    return found;
  }

  function gather(from) {  // out[i] = x[from[i]]
    return function (x) {
      var out = new Float64Array(from.length);
      for (var i = 0; i < from.length; i++) out[i] = x[from[i]];
      return out;
    };
  }

  function each(f) {  // of one number
    return function () {
      return function (x) {
        var out = new Float64Array(x.length);
        for (var i = 0; i < x.length; i++) out[i] = f(x[i]);
        return out;
      };
    };
  }

  function pair(f) {  // of two numbers; shapes are equal, for what is repeated has a node of its own
    return function () {
      return function (x, y) {
        var out = new Float64Array(x.length);
        for (var i = 0; i < x.length; i++) out[i] = f(x[i], y[i]);
        return out;
      };
    };
  }

  function erf(x) {
    var far = Math.abs(x), square = x * x, sum, term, n;
    if (!(far > 0)) return x;  // 0 and NaN
    if (far > 6) return x > 0 ? 1 : -1;
    if (far < 2.5) {  // 2/sqrt(pi) e^(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + ...), all terms of one sign
      sum = term = far;
      for (n = 1; term > 1e-17 * sum; n++) { term *= 2 * square / (2 * n + 1); sum += term; }
      sum *= 2 / Math.sqrt(Math.PI) * Math.exp(-square);
    } else {  // 1 - e^(-x^2) / sqrt(pi) / (x + 1/2 / (x + 1 / (x + 3/2 / (x + ...))))
      term = far;
      for (n = 60; n > 0; n--) term = far + n / 2 / term;
      sum = 1 - Math.exp(-square) / Math.sqrt(Math.PI) / term;
    }
    return x > 0 ? sum : -sum;
  }

  function sigmoid(x) { var small = Math.exp(-Math.abs(x)); return x >= 0 ? 1 / (1 + small) : small / (1 + small); }

  function power(x, y) {  // IEEE 754, where JavaScript says NaN
    return x === 1 || (x === -1 && (y === Infinity || y === -Infinity)) ? 1 : Math.pow(x, y);
  }

  function without(axes, shape) {  // strides of the result of a reduction, as seen from what it reduces
    var kept = shape.filter(function (_, axis) { return axes.indexOf(axis) < 0; }), steps = strides(kept), next = 0;
    return shape.map(function (_, axis) { return axes.indexOf(axis) < 0 ? steps[next++] : 0; });
  }

  function split(shape, axis) {  // elements before an axis, along it, and behind it
    return [size(shape.slice(0, axis)), shape[axis], size(shape.slice(axis + 1))];
  }

  function position(value, length) {  // -1 is the last
    var at = value < 0 ? value + length : value;
    if (!(at >= 0 && at < length)) throw new RangeError("index " + value + " is out of range for length " + length);
    return at;
  }

  function part(node, whole) {  // where the elements of a slice lie in the whole
    var steps = strides(whole), start = 0;
    node.start.forEach(function (first, axis) { start += first * steps[axis]; });
    return { steps: steps.map(function (step, axis) { return step * node.step[axis]; }), start: start };
  }

  /* Each makes of a node and the shapes that it reads a function of arrays. */
  var PRIMITIVES = {
    add: pair(function (x, y) { return x + y; }),
    subtract: pair(function (x, y) { return x - y; }),
    multiply: pair(function (x, y) { return x * y; }),
    divide: pair(function (x, y) { return x / y; }),
    power: pair(power),
    maximum: pair(Math.max),
    equal: pair(function (x, y) { return x === y ? 1 : 0; }),
    less: pair(function (x, y) { return x < y ? 1 : 0; }),
    less_equal: pair(function (x, y) { return x <= y ? 1 : 0; }),
    and: pair(function (x, y) { return x && y ? 1 : 0; }),
    or: pair(function (x, y) { return x || y ? 1 : 0; }),
    not: each(function (x) { return x ? 0 : 1; }),
    negative: each(function (x) { return -x; }),
    exp: each(Math.exp),
    log: each(Math.log),
    log1p: each(Math.log1p),
    expm1: each(Math.expm1),
    sqrt: each(Math.sqrt),
    sin: each(Math.sin),
    cos: each(Math.cos),
    tanh: each(Math.tanh),
    erf: each(erf),
    sigmoid: each(sigmoid),
    softplus: each(function (x) { return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))); }),
    relu: each(function (x) { return x <= 0 ? 0 : x; }),
    abs: each(Math.abs),
    sign: each(Math.sign),
    threshold: each(function (x) { return x !== x ? x : x >= 0 ? 1 : 0; }),
    integer_power: function (node) {
      return each(function (x) {  // by repeated squaring, as the engine
        var out = 1, factor = x;
        for (var n = Math.abs(node.exponent); n; n = Math.floor(n / 2)) {
          if (n % 2) out *= factor;
          factor *= factor;
        }
        return node.exponent < 0 ? 1 / out : out;
      })();
    },
    cast: function (node) {
      var kinds = {
        number: function (x) { return x; },
        whole: Math.trunc,
        truth: function (x) { return x !== 0 ? 1 : 0; }
      };
      return each(kinds[node.kind])();
    },
    where: function () {
      return function (condition, x, y) {
        var out = new Float64Array(x.length);
        for (var i = 0; i < x.length; i++) out[i] = condition[i] ? x[i] : y[i];
        return out;
      };
    },
    stop_gradient: function () { return function (x) { return x; }; },
    reshape: function () { return function (x) { return x; }; },
    broadcast: function (node, shapes) {
      var own = strides(shapes[0]), added = node.shape.length - shapes[0].length;
      return gather(places(node.shape, node.shape.map(function (_, axis) {
        return axis < added || shapes[0][axis - added] === 1 ? 0 : own[axis - added];
      })));
    },
    transpose: function (node, shapes) {
      var own = strides(shapes[0]);
      return gather(places(node.shape, node.axes.map(function (axis) { return own[axis]; })));
    },
    slice: function (node, shapes) {
      var found = part(node, shapes[0]);
      return gather(places(node.shape, found.steps, found.start));
    },
    unslice: function (node, shapes) {
      var found = part(node, node.shape), to = places(shapes[0], found.steps, found.start), count = size(node.shape);
      return function (x) {
        var out = new Float64Array(count);
        for (var i = 0; i < to.length; i++) out[to[i]] = x[i];
        return out;
      };
    },
    sum: function (node, shapes) {
      var to = places(shapes[0], without(node.axes, shapes[0])), count = size(node.shape);
      return function (x) {
        var out = new Float64Array(count);
        for (var i = 0; i < to.length; i++) out[to[i]] += x[i];
        return out;
      };
    },
    max: function (node, shapes) {
      var to = places(shapes[0], without(node.axes, shapes[0])), count = size(node.shape);
      return function (x) {
        var out = new Float64Array(count).fill(-Infinity);
        for (var i = 0; i < to.length; i++) out[to[i]] = Math.max(out[to[i]], x[i]);
        return out;
      };
    },
    argmax: function (node, shapes) {  // the first of equal ones, and the first NaN before all, as NumPy
      var cut = split(shapes[0], node.axis), length = cut[1], behind = cut[2];
      return function (x) {
        var out = new Float64Array(cut[0] * behind);
        for (var before = 0; before < cut[0]; before++) for (var after = 0; after < behind; after++) {
          var best = 0, start = before * length * behind + after;
          for (var i = 1; i < length; i++) {
            var now = x[start + i * behind], most = x[start + best * behind];
            if (most === most && (now > most || now !== now)) best = i;
          }
          out[before * behind + after] = best;
        }
        return out;
      };
    },
    concatenate: function (node, shapes) {
      var cut = split(node.shape, node.axis), row = cut[1] * cut[2];
      return function () {
        var out = new Float64Array(cut[0] * row), start = 0;
        for (var number = 0; number < arguments.length; number++) {
          var own = shapes[number][node.axis] * cut[2];
          for (var before = 0; before < cut[0]; before++)
            out.set(arguments[number].subarray(before * own, (before + 1) * own), before * row + start);
          start += own;
        }
        return out;
      };
    },
    take: function (node, shapes) {
      var cut = split(shapes[0], node.axis), behind = cut[2];
      return function (x, picks) {
        var out = new Float64Array(cut[0] * picks.length * behind), next = 0;
        for (var before = 0; before < cut[0]; before++) for (var i = 0; i < picks.length; i++) {
          var from = (before * cut[1] + position(picks[i], cut[1])) * behind;
          for (var after = 0; after < behind; after++) out[next++] = x[from + after];
        }
        return out;
      };
    },
    scatter_add: function (node, shapes) {
      var cut = split(node.shape, node.axis), behind = cut[2];
      return function (x, picks) {
        var out = new Float64Array(cut[0] * cut[1] * behind), next = 0;
        for (var before = 0; before < cut[0]; before++) for (var i = 0; i < picks.length; i++) {
          var to = (before * cut[1] + position(picks[i], cut[1])) * behind;
          for (var after = 0; after < behind; after++) out[to + after] += x[next++];
        }
        return out;
      };
    },
    matmul: function (node, shapes) {  // (..., n, k) times (..., k, m)
      var rank = node.shape.length, n = node.shape[rank - 2], m = node.shape[rank - 1], k = shapes[0][rank - 1];
      var count = size(node.shape.slice(0, -2));
      return function (x, y) {
        var out = new Float64Array(count * n * m);
        for (var lead = 0; lead < count; lead++)
          for (var i = 0; i < n; i++) for (var j = 0; j < k; j++) {
            var factor = x[(lead * n + i) * k + j], from = (lead * k + j) * m, to = (lead * n + i) * m;
            for (var l = 0; l < m; l++) out[to + l] += factor * y[from + l];
          }
        return out;
      };
    }
  };

  function unpacked(program) {  // of the short form of a page, by `packed` of replay.py
    if (!program.ops) return program;
    function named(each) { return { name: each[0], node: each[1] }; }
    return {
      nodes: program.nodes.map(function (each) {
        return Object.assign({ op: program.ops[each[0]], shape: program.shapes[each[1]], in: each[2] }, each[3]);
      }),
      inputs: program.inputs.map(named),
      outputs: program.outputs.map(named)
    };
  }

  /* A function of values by name (arrays or numbers), which gives results by name. */
  function compile(given) {
    var program = unpacked(given), nodes = program.nodes, constants = new Array(nodes.length), inputs = {};
    program.inputs.forEach(function (each) { inputs[each.node] = each.name; });
    var runs = nodes.map(function (node, number) {
      if (node.op === "constant") {
        constants[number] = Float64Array.from(node.value, Number);
        if (node.value.length === 1) constants[number] = new Float64Array(size(node.shape)).fill(constants[number][0]);
      }
      if (node.op === "constant" || node.op === "input") return null;
      if (!PRIMITIVES.hasOwnProperty(node.op)) throw new Error("the interpreter lacks the primitive " + node.op);
      return PRIMITIVES[node.op](node, node.in.map(function (each) { return nodes[each].shape; }));
    });
    return function (named) {
      var values = constants.slice();
      for (var number = 0; number < nodes.length; number++) {
        var node = nodes[number];
        if (runs[number]) values[number] = runs[number].apply(null, node.in.map(function (each) { return values[each]; }));
        else if (node.op === "input") {
          var value = named[inputs[number]];
          if (typeof value === "number") value = [value];
          if (!value || value.length !== size(node.shape))
            throw new Error(inputs[number] + ": shape (" + node.shape + ") is required, " + (value ? value.length + " numbers" : "nothing") + " given");
          values[number] = value instanceof Float64Array ? value : Float64Array.from(value, Number);
        }
      }
      var results = {};
      program.outputs.forEach(function (each) { results[each.name] = values[each.node]; });
      return results;
    };
  }

  return { compile: compile, primitives: Object.keys(PRIMITIVES) };
})();
if (typeof module !== "undefined") module.exports = Interpreter;
