// The search above a long table of access: keeps the rows whose number contains what is typed, in any spelling.
"use strict";

const accessSearch = document.getElementById("access-search");

function foldedText(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

if (accessSearch) {
  const rows = [...document.querySelectorAll("[data-access-row]")];
  accessSearch.hidden = false;
  accessSearch.addEventListener("input", () => {
    const words = foldedText(accessSearch.value).split(/\s+/);
    for (const row of rows) {
      const name = foldedText(row.dataset.accessRow);
      row.hidden = !words.every((word) => name.includes(word));
    }
  });
  // Enter would save the form.
  accessSearch.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
}
