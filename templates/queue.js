"use strict";
(function () {
  document.documentElement.classList.add("js");
  var rows = Array.from(document.querySelectorAll("#all tbody tr"));
  var search = document.getElementById("search");
  var status = document.getElementById("by-status");
  var cause = document.getElementById("by-cause");
  var shown = document.getElementById("shown");
  if (!search) return;
  function apply() {
    var words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    var count = 0;
    rows.forEach(function (row) {
      var fits = (status.value === "" || row.dataset.status === status.value) &&
        (cause.value === "" || row.dataset.causes.split(" ").includes(cause.value)) &&
        words.every(function (word) { return row.dataset.text.includes(word); });
      row.hidden = !fits;
      if (fits) count += 1;
    });
    shown.textContent = count;
  }
  var waiting = 0;
  search.addEventListener("input", function () {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 120);
  });
  status.addEventListener("change", apply);
  cause.addEventListener("change", apply);
  // A link to a ticket shows it even when the filter hides it.
  window.addEventListener("hashchange", function () {
    var target = document.getElementById(location.hash.slice(1));
    if (target && target.hidden) { target.hidden = false; target.scrollIntoView(); }
  });
  apply();
})();
