/* Tables: heads that stay in view, rows to sort, and columns to choose. Without this script tables are as the server
   wrote them. base.html loads it before calltally.js, which finds the focus again in tables that are sorted already. */
(() => {
  // Storage may be forbidden or full; then what was chosen holds until the next page.
  const unkept = new Map();
  const remembered = (storage, key) => {
    if (unkept.has(key)) return unkept.get(key);
    try {
      return JSON.parse(window[storage].getItem(key));
    } catch {
      return null;
    }
  };
  const remember = (storage, key, value) => {
    unkept.delete(key);
    try {
      window[storage].setItem(key, JSON.stringify(value));
    } catch {
      unkept.set(key, value);
    }
  };

  /* --- heads stay in view: a table that fits its box leaves it --- */
  // A box that scrolls sideways keeps the head inside it, and takes focus so that keys can scroll it.
  const fit = (box) => {
    const table = box.querySelector("table");
    if (!table) return;
    spread(table);
    const fits = table.offsetWidth <= box.clientWidth;
    box.classList.toggle("fits", fits);
    if (fits) box.removeAttribute("tabindex");
    else box.tabIndex = 0;
  };

  /* A cell over several columns is as wide as those of them that are shown. */
  const spread = (table) => {
    const heads = [...(table.tHead?.rows[0].cells ?? [])];
    for (const cell of table.querySelectorAll("tbody td[data-from]")) {
      const from = Number(cell.dataset.from);
      const columns = heads.slice(from, from + 1 + heads.length - cell.parentElement.cells.length);
      const shown = columns.filter((head) => getComputedStyle(head).display !== "none").length;
      cell.hidden = !shown;
      if (shown && cell.colSpan !== shown) cell.colSpan = shown;
    }
  };

  /* Heads stay below the bar of filters, which has one line or two, and on phones may not stay itself. */
  const keepBelow = (bar) => {
    const height = bar && getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0;
    document.documentElement.style.setProperty("--sticky-top", `${height}px`);
  };

  const sizes = new ResizeObserver((changes) => {
    for (const { target } of changes) if (target.matches(".filters")) keepBelow(target);
    for (const box of new Set(changes.map(({ target }) => target.closest(".table-responsive")))) if (box) fit(box);
  });

  /* --- sorting: tables with data-sorts, by the buttons in their head --- */
  const language = document.documentElement.lang || "en";
  const orders = new WeakMap(); // the rows of each table in the order of the server
  const headsOf = (table) => [...table.tHead.rows[0].cells].filter((head) => !("unsorted" in head.dataset));
  const nameOf = (head) => head.querySelector("button").textContent.trim();
  const placeOf = (table) => `calltally-sort ${location.pathname} ${table.id}`;

  // A cell over several columns stands for each of them.
  const cellOf = (row, column, columns) => {
    let at = 0;
    for (const cell of row.cells) {
      at += "from" in cell.dataset ? 1 + columns - row.cells.length : 1;
      if (column < at) return cell;
    }
    return null;
  };

  // A count is in data-v or in the links to its calls; else the text has it: 85 %, 99 s, 4:18 min, 2:05:00 h, 1,634.
  const numberIn = (cell) => {
    if (cell.dataset.v) return Number(cell.dataset.v);
    const counts = [...cell.querySelectorAll("[data-calls]")];
    if (counts.length) return counts.reduce((sum, link) => sum + Number(link.dataset.calls), 0);
    const text = (cell.querySelector(".zero") ?? cell.firstChild)?.textContent ?? "";
    const digits = text.replace(/[^\d:]/g, "");
    return digits && !cell.querySelector(".not-measured, .no-value")
      ? digits.split(":").reduce((sum, part) => sum * 60 + Number(part), 0)
      : null;
  };

  const valueIn = (cell, head) => {
    if (!cell) return null;
    if (head.matches(".num")) return numberIn(cell);
    return cell.textContent.trim().toLocaleLowerCase(language);
  };

  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, language, { numeric: true }) : a - b);

  /* Sort by a column; what has no value is last in both directions. */
  const sort = (table, head, direction) => {
    const body = table.tBodies[0];
    if (!orders.has(table)) {
      orders.set(table, [...body.rows]);
      orders.get(table).forEach((row, place) => { row.dataset.at = place; }); // for a chart of this table
    }
    const turn = direction === "descending" ? -1 : 1;
    const columns = table.tHead.rows[0].cells.length;
    const rows = orders.get(table).map((row, place) => ({
      row, place, value: valueIn(cellOf(row, head.cellIndex, columns), head),
    }));
    const isOrder = head.dataset.sort === "order"; // the order of the server, as that of times of day
    rows.sort((a, b) => {
      if (isOrder) return turn * (a.place - b.place);
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.place - b.place;
      return turn * compare(a.value, b.value) || a.place - b.place;
    });
    const focused = body.contains(document.activeElement) && document.activeElement; // which moving rows takes away
    body.append(...rows.map(({ row }) => row));
    if (focused) focused.focus({ preventScroll: true });
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
  };

  /* Make each head a button; most have one already, with the definition of the figure. */
  const prepare = (table) => {
    for (const head of headsOf(table)) {
      if (head.querySelector("button")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.classList.add("sort");
      button.append(...head.childNodes);
      head.append(button);
    }
    const kept = remembered("sessionStorage", placeOf(table));
    const head = kept && headsOf(table).find((one) => nameOf(one) === kept.by);
    if (head) sort(table, head, kept.direction);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("table[data-sorts] > thead button");
    const head = button?.closest("th");
    if (!head || "unsorted" in head.dataset) return;
    const table = head.closest("table");
    const first = head.matches(".num") ? "descending" : "ascending";
    const other = first === "descending" ? "ascending" : "descending";
    const direction = head.getAttribute("aria-sort") === first ? other : first;
    sort(table, head, direction);
    remember("sessionStorage", placeOf(table), { by: nameOf(head), direction });
    // The definition would lie on the first rows. A finger has no other way to it.
    if (event.pointerType !== "touch") button.closest(".explained")?.classList.add("is-closed");
  });

  /* --- columns to choose: the style sheet hides those whose box is not ticked --- */
  const COLUMNS = "calltally-columns";
  const boxes = () => [...document.querySelectorAll("#columns input")];
  const choose = () => {
    const chosen = remembered("localStorage", COLUMNS) ?? {};
    for (const box of boxes()) if (box.id in chosen) box.checked = chosen[box.id];
  };

  document.addEventListener("change", (event) => {
    if (!event.target.closest("#columns")) return;
    remember("localStorage", COLUMNS, Object.fromEntries(boxes().map((box) => [box.id, box.checked])));
    document.querySelectorAll(".table-responsive").forEach(fit);
  });

  const start = () => {
    choose();
    sizes.disconnect(); // what a swap has replaced is no longer watched
    const bar = document.querySelector(".filters");
    keepBelow(bar);
    if (bar) sizes.observe(bar);
    for (const table of document.querySelectorAll("table[data-sorts]")) if (!orders.has(table)) prepare(table);
    for (const box of document.querySelectorAll(".table-responsive")) {
      fit(box);
      sizes.observe(box);
      for (const table of box.querySelectorAll("table")) sizes.observe(table);
    }
  };

  // A definition that a click has closed stays closed when #live is replaced below the pointer.
  let closed = [];
  document.addEventListener("htmx:beforeSwap", () => {
    closed = [...document.querySelectorAll("th .explained.is-closed .tip")].map((tip) => tip.id);
  });
  // Paper shows columns that a phone hides.
  matchMedia("print").addEventListener("change", () => document.querySelectorAll(".table-responsive").forEach(fit));
  document.addEventListener("htmx:afterSwap", () => {
    start();
    for (const id of closed) document.getElementById(id)?.closest(".explained").classList.add("is-closed");
  });
  start();
})();
