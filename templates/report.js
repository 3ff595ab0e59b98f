"use strict";
(function () {
  var root = document.documentElement, body = document.body;
  root.classList.add("js");
  function all(selector, within) { return Array.from((within || document).querySelectorAll(selector)); }
  function byId(id) { return document.getElementById(id); }

  var theme = byId("theme");
  theme.addEventListener("change", function () {
    if (theme.value === "auto") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme.value);
  });

  // On paper nothing can be unfolded.
  window.addEventListener("beforeprint", function () {
    all("details:not(.cell-trace)").forEach(function (fold) { fold.open = true; });
  });

  // Search and filter: findings, the causes that hold them, rows of matrices.
  var findings = all(".finding"), causes = all(".cause"), rows = all("table.matrix tr.addresses"), traces = all(".cell-trace");
  var boxes = all(".by-severity"), node = byId("by-node"), search = byId("search"), shown = byId("shown");
  var words = new Map();
  function text(element) {
    if (!words.has(element)) words.set(element, element.textContent.toLowerCase());
    return words.get(element);
  }
  function fits(element, asked) { return asked.every(function (word) { return text(element).includes(word); }); }
  function apply() {
    var severities = new Set(boxes.filter(function (box) { return box.checked; }).map(function (box) { return box.value; }));
    var asked = search.value.toLowerCase().split(/\s+/).filter(Boolean), count = 0;
    findings.forEach(function (finding) {
      var nodes = finding.dataset.nodes ? finding.dataset.nodes.split(" ") : [];
      var cause = finding.closest(".cause");
      var fit = severities.has(finding.dataset.severity) && (node.value === "" || !nodes.length || nodes.includes(node.value)) &&
        (fits(finding, asked) || (cause !== null && fits(cause, asked)));
      finding.hidden = !fit;
      if (fit) count += 1;
    });
    causes.forEach(function (cause) {
      var own = all(".finding", cause);
      cause.hidden = own.length > 0 && own.every(function (finding) { return finding.hidden; });
    });
    rows.concat(traces).forEach(function (row) { row.hidden = !fits(row, asked); });
    all("table.matrix tr.service").forEach(function (heading) {
      var some = fits(heading, asked), next = heading.nextElementSibling, own = [];
      for (; next && !next.classList.contains("service"); next = next.nextElementSibling) own.push(next);
      if (some) own.forEach(function (row) { row.hidden = false; });
      heading.hidden = own.every(function (row) { return row.hidden; });
    });
    shown.textContent = count;
  }
  boxes.concat(node).forEach(function (control) { control.addEventListener("change", apply); });
  search.addEventListener("input", apply);
  document.addEventListener("keydown", function (event) {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) { event.preventDefault(); search.focus(); }
  });

  // Copy buttons on commands and documents.
  all(".change").forEach(function (figure) {
    var button = document.createElement("button"), code = figure.querySelector("code");
    button.type = "button";
    button.className = "copy";
    button.textContent = body.dataset.copy;
    button.addEventListener("click", function () {
      function done() {
        button.textContent = body.dataset.copied;
        setTimeout(function () { button.textContent = body.dataset.copy; }, 1500);
      }
      function select() {
        var range = document.createRange();
        range.selectNodeContents(code);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        if (document.execCommand("copy")) done();
      }
      if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, select);
      else select();
    });
    figure.appendChild(button);
  });

  // A cell of a matrix opens its trace; a link to anything folded away unfolds it, whatever the filter hides.
  var dialog = byId("trace-dialog"), inside = dialog.querySelector(".inside"), opener = null;
  function openTrace(id) {
    var trace = byId(id), copy = document.createElement("div"), heading = document.createElement("h2");
    heading.textContent = trace.closest("details").querySelector("summary").firstChild.textContent;
    copy.appendChild(heading);
    Array.from(trace.children).forEach(function (child) { copy.appendChild(child.cloneNode(true)); });
    inside.replaceChildren(copy);
    dialog.showModal();
  }
  dialog.querySelector(".close").addEventListener("click", function () { dialog.close(); });
  dialog.addEventListener("click", function (event) { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", function () {
    if (/^#t-\d+$/.test(location.hash)) history.replaceState(null, "", location.pathname + location.search);
    if (opener) opener.focus();
    opener = null;
  });
  function follow() {
    var id = decodeURIComponent(location.hash.slice(1)), target = id && byId(id);
    if (!target) return;
    if (/^t-\d+$/.test(id)) { if (!dialog.open) openTrace(id); return; }
    for (var at = target; at; at = at.parentElement) {
      at.hidden = false;
      if (at.tagName === "DETAILS") at.open = true;
    }
    target.scrollIntoView();
  }
  document.addEventListener("click", function (event) {
    var link = event.target.closest("table.matrix td a");
    if (link) opener = link;
  });
  window.addEventListener("hashchange", follow);

  // Arrow keys walk over the cells.
  document.addEventListener("keydown", function (event) {
    var step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    var link = event.target.closest && event.target.closest("table.matrix td a");
    if (!step || !link) return;
    var column = link.parentElement.cellIndex, row = link.closest("tr"), next = null;
    do {
      if (step[0]) row = step[0] > 0 ? row.nextElementSibling : row.previousElementSibling;
      column += step[1];
      var cell = row && row.cells[column];
      next = cell && !row.hidden ? cell.querySelector("a") : null;
    } while (!next && row && column > 0 && column < row.cells.length + (step[0] ? 1000 : 0));
    if (next) { event.preventDefault(); next.focus(); }
  });

  apply();
  follow();
})();
