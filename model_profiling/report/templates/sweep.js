// A filter of cells: without scripts all of them are there, folded by device where they are many.
const place = document.querySelector(".filter-place");
const groups = [...document.querySelectorAll("details.cells")];
if (place && groups.length) {
  const label = document.createElement("label");
  const field = document.createElement("input");
  const found = document.createElement("output");
  field.type = "search";
  field.placeholder = "such as int8 t2";
  label.append("Show only cells with ", field, " ", found);
  place.after(label);
  label.className = "filter";
  const open = groups.map((group) => group.open);
  const rows = groups.map((group) => [...group.querySelectorAll("tbody tr")]);
  const texts = rows.map((own) => own.map((row) => `${row.textContent} `.toLowerCase()));
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    groups.forEach((group, number) => {
      let here = 0;
      rows[number].forEach((row, place) => {
        row.hidden = !words.every((word) => texts[number][place].includes(word));
        here += row.hidden ? 0 : 1;
      });
      group.hidden = here === 0;
      group.open = words.length ? here > 0 : open[number];
      shown += here;
    });
    found.textContent = words.length ? `${shown} of ${texts.flat().length}` : "";
  });
}
