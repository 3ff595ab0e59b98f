"use strict";
(function () {
  var root = document.documentElement;
  root.classList.add("js");
  var theme = document.getElementById("theme");
  theme.addEventListener("change", function () {
    if (theme.value === "auto") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme.value);
  });
  // On paper nothing can be unfolded.
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (fold) { fold.open = true; });
  });
  var findings = Array.from(document.querySelectorAll(".finding"));
  var boxes = Array.from(document.querySelectorAll(".by-severity"));
  var node = document.getElementById("by-node");
  var shown = document.getElementById("shown");
  if (!node) return;
  function apply() {
    var severities = new Set(boxes.filter(function (box) { return box.checked; }).map(function (box) { return box.value; }));
    var count = 0;
    findings.forEach(function (finding) {
      var nodes = finding.dataset.nodes ? finding.dataset.nodes.split(" ") : [];
      var fits = severities.has(finding.dataset.severity) && (node.value === "" || !nodes.length || nodes.includes(node.value));
      finding.hidden = !fits;
      if (fits) count += 1;
    });
    shown.textContent = count;
  }
  boxes.concat(node).forEach(function (control) { control.addEventListener("change", apply); });
  // A link to a finding shows it even when the filter hides it.
  window.addEventListener("hashchange", function () {
    var target = document.getElementById(location.hash.slice(1));
    if (target && target.hidden) { target.hidden = false; target.scrollIntoView(); }
  });
  apply();
})();
