/* Adds to the page of a search: a range of an axis of the parallel coordinates, which fades the trials beyond it. */
(function () {
  "use strict";
  var svg = document.querySelector("svg.parallel"), hint = document.getElementById("brush-hint");
  if (!svg || !hint || !window.PointerEvent || !svg.getScreenCTM) return;
  var SPACE = "http://www.w3.org/2000/svg", readout = hint.querySelector(".readout");
  function made(name, attributes) {
    var element = document.createElementNS(SPACE, name);
    Object.keys(attributes).forEach(function (key) { element.setAttribute(key, attributes[key]); });
    return element;
  }
  function numbers(path) { return (path.getAttribute("d").match(/[\d.]+/g) || []).map(Number); }
  var lines = [].map.call(svg.querySelectorAll(".lines path"), function (path) {
    var found = numbers(path), at = {};
    for (var i = 0; i + 1 < found.length; i += 2) at[found[i]] = found[i + 1];
    return { path: path, at: at };
  });
  var axes = [].map.call(svg.querySelectorAll(".brush"), function (path) {
    var found = numbers(path);  // x, upper end, lower end
    return { x: found[0], top: found[1], floor: found[2], range: null, shown: null };
  });
  function show() {
    var chosen = axes.filter(function (axis) { return axis.range; }), inside = 0;
    lines.forEach(function (line) {
      var isIn = chosen.every(function (axis) {
        var y = line.at[axis.x];
        return y !== undefined && y >= axis.range[0] && y <= axis.range[1];
      });
      line.path.classList.toggle("off", !isIn);
      inside += isIn;
    });
    axes.forEach(function (axis) {
      if (axis.shown) { axis.shown.remove(); axis.shown = null; }
      if (!axis.range) return;
      axis.shown = made("rect", { x: axis.x - 5, y: axis.range[0], width: 10, height: axis.range[1] - axis.range[0], "class": "range" });
      svg.appendChild(axis.shown);
    });
    readout.textContent = chosen.length ? inside + " of " + lines.length + " lines cross there." : "";
  }
  function place(event) {
    var point = svg.createSVGPoint();
    point.x = event.clientX; point.y = event.clientY;
    return point.matrixTransform(svg.getScreenCTM().inverse()).y;
  }
  axes.forEach(function (axis) {
    var grip = made("rect", { x: axis.x - 11, y: axis.top, width: 22, height: axis.floor - axis.top, "class": "grip" }), start = null;
    grip.addEventListener("pointerdown", function (event) {
      start = place(event);
      grip.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    grip.addEventListener("pointermove", function (event) {
      if (start === null) return;
      var y = Math.min(Math.max(place(event), axis.top), axis.floor);
      axis.range = Math.abs(y - start) > 2 ? [Math.min(start, y), Math.max(start, y)] : null;
      show();
    });
    grip.addEventListener("pointerup", function () { start = null; show(); });
    grip.addEventListener("pointercancel", function () { start = null; });
    svg.appendChild(grip);
  });
  svg.addEventListener("dblclick", function () {
    axes.forEach(function (axis) { axis.range = null; });
    show();
  });
  hint.hidden = false;
})();
