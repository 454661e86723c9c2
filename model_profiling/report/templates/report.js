// Sorting only: without scripts the report is complete, in the order it was written.
for (const table of document.querySelectorAll("table.sortable")) {
  const { group } = table.dataset;
  const tables = group ? [...document.querySelectorAll(`table[data-group="${group}"]`)] : [table];
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const key = (row) => row.cells[column].dataset.raw ?? row.cells[column].textContent.trim();
    button.addEventListener("click", () => {
      const numeric = head.classList.contains("n");
      const first = numeric ? "descending" : "ascending";
      const other = numeric ? "ascending" : "descending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      for (const each of tables) {
        each.querySelectorAll("th[aria-sort]").forEach((th) => th.removeAttribute("aria-sort"));
        each.tHead.rows[0].cells[column].setAttribute("aria-sort", order);
      }
      const sign = order === "ascending" ? 1 : -1;
      const bodies = tables.map((each) => each.tBodies[0]);
      const counts = bodies.map((body) => body.rows.length);
      const rows = bodies.flatMap((body) => [...body.rows]).sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (!numeric) return sign * x.localeCompare(y);
        // Cells without a number stay below, whichever way the column is sorted.
        if (x === "" || y === "") return (x === "") - (y === "");
        return sign * (Number(x) - Number(y));
      });
      bodies.forEach((body, number) => body.append(...rows.splice(0, counts[number])));
    });
  });
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
