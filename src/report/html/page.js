(function () {
  "use strict";
  // Tables sort by a click on a heading; numbers by their value, the rest by the alphabet.
  function value(cell) {
    var text = cell.textContent.trim().replace(/−/g, "-");
    var found = text.replace(/,(?=\d{3})/g, "").match(/[-+]?\d+(\.\d+)?/);
    return { text: text, number: /^[^A-Za-z]*\d/.test(text) && found ? parseFloat(found[0]) : NaN };
  }
  document.querySelectorAll("table.sortable").forEach(function (table) {
    var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        var body = table.tBodies[0];
        var rows = Array.prototype.map.call(body.rows, function (row) {
          return { row: row, key: value(row.cells[column]) };
        });
        var numeric = rows.some(function (one) { return !isNaN(one.key.number); });
        rows.sort(function (a, b) {
          var by;
          if (numeric) {
            if (isNaN(a.key.number) || isNaN(b.key.number)) {
              return (isNaN(a.key.number) ? 1 : 0) - (isNaN(b.key.number) ? 1 : 0);
            }
            by = a.key.number - b.key.number;
          } else {
            by = a.key.text.localeCompare(b.key.text);
          }
          return down ? -by : by;
        });
        rows.forEach(function (one) { body.appendChild(one.row); });
      });
    });
  });
  // Boxes that hold more than they show say so; without scripts the bar of the browser does.
  function mark() {
    document.querySelectorAll(".scroll").forEach(function (box) {
      box.classList.toggle("over", box.scrollWidth > box.clientWidth + 8);
    });
  }
  mark();
  window.addEventListener("resize", mark);
  // Titles become a tip that appears at once; without scripts the browser shows them itself.
  var tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.appendChild(tip);
  document.querySelectorAll("svg.chart").forEach(function (svg) {
    var title = svg.querySelector(":scope > title");
    if (title) {
      svg.setAttribute("aria-label", title.textContent);
      var text = svg.getAttribute("aria-labelledby").split(" ")[1];
      svg.setAttribute("aria-describedby", text);
      svg.removeAttribute("aria-labelledby");
      title.remove();
    }
  });
  function owner(target) {
    for (var at = target; at && at !== document.body; at = at.parentNode) {
      if (at.nodeType !== 1) continue;
      if (at.dataset.tip) return at;
      var title = at.getAttribute("title");
      if (title) {
        at.dataset.tip = title;
        at.removeAttribute("title");
        return at;
      }
      var first = at.namespaceURI.indexOf("svg") > 0 && at.firstElementChild;
      if (first && first.tagName === "title") {
        at.dataset.tip = first.textContent;
        first.remove();
        return at;
      }
    }
    return null;
  }
  document.addEventListener("pointermove", function (event) {
    var found = owner(event.target);
    tip.hidden = !found;
    if (!found) return;
    if (tip.textContent !== found.dataset.tip) tip.textContent = found.dataset.tip;
    var x = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    var below = event.clientY + 18;
    var y = below + tip.offsetHeight > window.innerHeight ? event.clientY - tip.offsetHeight - 12 : below;
    tip.style.left = Math.max(4, x) + "px";
    tip.style.top = Math.max(4, y) + "px";
  }, { passive: true });
  document.addEventListener("pointerleave", function () { tip.hidden = true; });
  document.addEventListener("scroll", function () { tip.hidden = true; }, { passive: true, capture: true });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (one) { one.open = true; });
  });
})();
