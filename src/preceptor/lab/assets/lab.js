/* Players: one picture of several at a time, by buttons, slider and arrow keys; the place is in the link. */
(function () {
  "use strict";
  var players = [].slice.call(document.querySelectorAll(".player"));
  function places() {  // name=place pairs behind the #
    var found = {};
    location.hash.slice(1).split("&").forEach(function (pair) {
      var parts = pair.split("=");
      try { if (parts.length === 2) found[decodeURIComponent(parts[0])] = decodeURIComponent(parts[1]); } catch (error) { /* no place of ours */ }
    });
    return found;
  }
  var shows = players.map(function (player) {
    var frames = [].slice.call(player.querySelectorAll(".frame")), name = player.dataset.name;
    var slider = player.querySelector("input"), said = player.querySelector("output");
    function show(place, isOwn) {
      place = Math.min(Math.max(Math.round(Number(place)) || 0, 0), frames.length - 1);
      frames.forEach(function (each, at) { each.classList.toggle("now", at === place); });
      slider.value = place;
      said.textContent = frames[place].dataset.label;
      if (!isOwn) return;
      var all = places();
      all[name] = place;
      history.replaceState(null, "", "#" + Object.keys(all).map(function (key) { return encodeURIComponent(key) + "=" + encodeURIComponent(all[key]); }).join("&"));
    }
    slider.addEventListener("input", function () { show(Number(slider.value), true); });
    player.querySelector(".back").addEventListener("click", function () { show(Number(slider.value) - 1, true); });
    player.querySelector(".forward").addEventListener("click", function () { show(Number(slider.value) + 1, true); });
    player.classList.add("on");
    player.querySelector(".control").hidden = false;
    return function () { show(places()[name]); };
  });
  function all() { shows.forEach(function (show) { show(); }); }
  window.addEventListener("hashchange", all);
  all();
})();
