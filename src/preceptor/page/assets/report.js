/* Adds to a report what paper cannot: zoom and values under the pointer, copying, the place in the contents. */
(function () {
  "use strict";
  var root = document.documentElement;
  function colour(name) { return getComputedStyle(root).getPropertyValue("--" + name).trim(); }
  var SERIES = ["blue", "vermilion", "green", "purple", "ink"];
  var DASHES = [[], [7, 4], [1.5, 4], [9, 3, 2, 3], [14, 4]];
  var UNITS = [[1e12, 1e12, "T"], [1e9, 1e9, "G"], [1e6, 1e6, "M"], [1e4, 1e3, "k"]];

  function written(value, digits) {
    if (value === null || value === undefined) return "–";
    var size = Math.abs(value);
    for (var i = 0; i < UNITS.length; i++)
      if (size >= UNITS[i][0] && size < 1e15) return String(+(value / UNITS[i][1]).toPrecision(digits)) + UNITS[i][2];
    return String(+value.toPrecision(digits));
  }

  function enough(values) {  // digits that tell the values of an axis apart where they lie
    var known = values.filter(function (each) { return each !== null; });
    var step = known.length > 1 ? Math.abs(known[1] - known[0]) : 0;
    function isTold(digits) {
      return known.every(function (each) { return Math.abs(+each.toPrecision(digits) - each) <= step / 100; });
    }
    for (var digits = 3; digits < 7 && !isTold(digits);) digits++;
    return digits;
  }

  function alone(values) {  // a point beside which there is none would be no line
    return values.filter(function (each) { return each !== null; }).length < 2;
  }

  function decades(u, axis, low, high) {  // where a logarithmic axis has its lines
    var first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high)), found = [];
    var every = Math.max(1, Math.round((last - first) / 5));
    var digits = last - first > 2 ? [1] : last - first > 1 ? [1, 2, 5] : [1, 1.5, 2, 3, 5, 7];
    for (var power = first; power <= last; power += every)
      digits.forEach(function (digit) {
        var value = +(digit * Math.pow(10, power)).toPrecision(3);
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
      });
    return found;
  }

  function options(chart, width, readout, axis) {
    var ink = colour("quiet"), rule = colour("rule");
    var font = "11px " + getComputedStyle(document.body).fontFamily;
    var series = [{}];
    chart.series.forEach(function (each) {
      var stroke = colour(SERIES[each[1] - 1]);
      series.push({ label: each[0], stroke: stroke, width: 1.8, dash: DASHES[each[1] - 1], points: { show: alone(each[2]) } });
    });
    var bands;
    if (chart.band) {
      series.push({ stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } });
      bands = [{ series: [series.length - 2, series.length - 1], fill: colour("blue") + "33" }];
    }
    var shown = { stroke: ink, font: font, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1, size: 4 } };
    function labels(u, values) {
      var digits = enough(values);
      return values.map(function (each) { return each === null ? "" : written(each, digits); });
    }
    function places(u, values) {  // between whole epochs there is nothing to read
      var isWhole = axis === "epoch" && chart.x.length > 1 && chart.x[1] - chart.x[0] > 0.9;
      return labels(u, values).map(function (each, place) {
        return isWhole && values[place] !== Math.round(values[place]) ? "" : each;
      });
    }
    function widest(u, values) {
      return 14 + 6.5 * Math.max.apply(null, [1].concat((values || []).map(function (each) { return each.length; })));
    }
    return {
      width: width, height: Math.round(width * 230 / 380), series: series, bands: bands, legend: { show: false }, padding: [22, 8, 0, 0],
      scales: { x: { time: false }, y: { distr: chart.log ? 3 : 1 } },
      axes: [
        Object.assign({}, shown, { values: places, grid: { show: false }, size: 28, space: 60, label: axis, labelSize: 15, labelGap: 0, labelFont: font }),
        Object.assign({}, shown, { values: labels, size: widest, space: 36, splits: chart.log ? decades : undefined,
          filter: chart.log ? function (u, splits) { return splits; } : undefined })
      ],
      cursor: { sync: { key: "curves" }, points: { size: 7 }, y: false },
      hooks: {
        setCursor: [function (u) {
          var at = u.cursor.idx;
          if (at === null || at === undefined) { readout.textContent = ""; return; }
          readout.textContent = axis + " " + written(chart.x[at], 5) + chart.series.map(function (each) {
            return "  ·  " + each[0] + " " + written(each[2][at], 5);
          }).join("");
        }],
        draw: [function (u) {
          var pen = u.ctx, top = u.bbox.top, ratio = window.devicePixelRatio || 1;
          pen.save();
          pen.strokeStyle = ink; pen.fillStyle = ink; pen.lineWidth = ratio;
          pen.font = 11 * ratio + "px sans-serif"; pen.setLineDash([3 * ratio, 3 * ratio]);
          pen.textAlign = "left"; pen.textBaseline = "alphabetic";
          pen.fillText(chart.label, ratio, 10 * ratio);
          var lines = chart.marks.concat(chart.lowest === null ? [] : [[chart.lowest, "lowest dev loss"]]);
          lines.forEach(function (mark, place) {
            if (mark[0] < u.scales.x.min || mark[0] > u.scales.x.max) return;
            var x = Math.round(u.valToPos(mark[0], "x", true));
            pen.strokeStyle = place < chart.marks.length ? ink : rule;
            pen.beginPath(); pen.moveTo(x, top); pen.lineTo(x, top + u.bbox.height); pen.stroke();
            var isLate = x > u.bbox.left + u.bbox.width / 2;
            pen.textAlign = isLate ? "right" : "left";
            pen.fillText(mark[1], x + (isLate ? -4 : 4) * ratio, top + (place < chart.marks.length ? 10 : 22) * ratio);
          });
          pen.restore();
        }]
      }
    };
  }

  function curves() {
    var source = document.getElementById("curves-data");
    if (!source || !window.uPlot) return;
    var charts = JSON.parse(source.textContent), drawn = [];
    var figures = document.querySelectorAll("figure.curve");
    function draw() {
      drawn.forEach(function (each) { each.plot.destroy(); });
      drawn = [];
      charts.forEach(function (chart, place) {
        var figure = figures[place], box = figure.querySelector(".plot");
        var readout = box && box.querySelector(".readout");
        if (!box) {
          box = document.createElement("div");
          box.className = "plot";
          box.setAttribute("aria-hidden", "true");
          readout = document.createElement("p");
          readout.className = "readout";
          box.appendChild(readout);
          figure.insertBefore(box, figure.querySelector("svg").nextSibling);
        }
        var data = [chart.x].concat(chart.series.map(function (each) { return each[2]; }));
        if (chart.band) data.push(chart.band[1], chart.band[0]);
        var width = Math.min(figure.clientWidth, 480);
        var plot = new uPlot(options(chart, width, readout, source.dataset.axis), data, box);
        box.insertBefore(plot.root, readout);
        drawn.push({ plot: plot, width: width, figure: figure });
      });
    }
    root.classList.add("js");
    document.getElementById("zoom-hint").hidden = false;
    draw();
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    window.addEventListener("resize", function () {
      drawn.forEach(function (each) {
        var width = Math.min(each.figure.clientWidth, 480);
        if (width && width !== each.width)
          each.plot.setSize({ width: each.width = width, height: Math.round(width * 230 / 380) });
      });
    });
  }

  function copying() {
    if (!navigator.clipboard) return;
    document.querySelectorAll(".command").forEach(function (each) {
      var button = each.querySelector("button");
      button.hidden = false;
      button.addEventListener("click", function () {
        navigator.clipboard.writeText(each.querySelector("code").textContent).then(function () {
          button.textContent = "Copied";
          setTimeout(function () { button.textContent = "Copy"; }, 1500);
        });
      });
    });
  }

  function contents() {
    if (!window.IntersectionObserver) return;
    var links = {};
    document.querySelectorAll(".contents a").forEach(function (each) { links[each.hash.slice(1)] = each; });
    var observer = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (!entry.isIntersecting) return;
        Object.keys(links).forEach(function (name) { links[name].removeAttribute("aria-current"); });
        links[entry.target.id].setAttribute("aria-current", "true");
      });
    }, { rootMargin: "-10% 0px -80% 0px" });
    document.querySelectorAll("main > section").forEach(function (each) { observer.observe(each); });
  }

  function unfolded(url) {  // a link to a finding opens what it is folded in
    var target = url && document.getElementById(url.slice(1));
    var fold = target && target.closest("details");
    if (fold) { fold.open = true; target.scrollIntoView(); }
  }

  curves();
  copying();
  contents();
  window.addEventListener("hashchange", function () { unfolded(location.hash); });
  unfolded(location.hash);
})();
