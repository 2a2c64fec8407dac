/* The live board: figures by the stream of the process `live`, or by asking the pages while there is none. */
(() => {
  const board = document.getElementById("board");
  if (!board) return;

  const STALE_AFTER_MS = 15_000;
  const ASK_AFTER_MS = 7_000; // the stream says something every five seconds
  const SORT_EVERY_MS = 30_000; // so that the order is steady for readers
  const NEXT_PAGE_MS = 12_000;
  const rows = board.querySelector("[data-rows]");
  const all = board.querySelector("[data-all] tr");
  const made = document.getElementById("board-row");
  const stale = document.querySelector("[data-stale]");
  const kiosk = document.querySelector(".kiosk");
  const text = (name, values = {}) =>
    board.getAttribute(`data-${name}`).replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
  const clock = liveDates(board.dataset.zone, { hour: "2-digit", minute: "2-digit" });

  let serverAhead = 0; // milliseconds from performance.now() to the clock of the server
  const serverNow = () => performance.now() + serverAhead;
  const setClock = (at) => { serverAhead = Date.parse(at) - performance.now(); };

  /* --- rows --- */
  const BESIDE = { today: "usual_today", lost: "usual_lost" };
  const figures = new Map(); // by the row
  const waited = (since) => {
    const whole = Math.max(0, Math.floor((serverNow() - Date.parse(since)) / 1000));
    const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const two = (n) => String(n).padStart(2, "0");
    return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
  };
  const write = (element, words) => {
    if (element.textContent !== words) element.textContent = words;
  };
  const besideOf = (key, row) => {
    const part = row.of?.[key];
    if (part) return text("part", { n: part[0], all: part[1] });
    const usual = row[BESIDE[key]];
    return typeof usual === "number" ? text("usually", { n: usual }) : "";
  };
  const valueOf = (value) => {
    if (value === null) return text("not-measured");
    return typeof value === "number" ? String(value) : "–";
  };
  const fill = (line, row) => {
    figures.set(line, row);
    if (row.name !== undefined) write(line.querySelector("[data-name]"), row.name);
    for (const cell of line.querySelectorAll("[data-figure]")) {
      const key = cell.dataset.figure;
      const value = cell.querySelector("[data-value]");
      value.classList.toggle("not-measured", row[key] === null);
      write(value, key === "wait" && row.wait ? waited(row.wait) : valueOf(row[key]));
      write(cell.querySelector("[data-beside]"), row[key] === null ? "" : besideOf(key, row));
    }
    write(line.querySelector("[data-without-end]"), row.no_end ? text("without-end", { n: row.no_end }) : "");
  };
  const lineOf = (number) => {
    const there = rows.querySelector(`tr[data-number="${number}"]`);
    if (there) return there;
    const line = made.content.querySelector("tr").cloneNode(true);
    line.dataset.number = number;
    rows.append(line);
    return line;
  };
  const take = (message) => {
    heard(message.at);
    message.rows.forEach((row, place) => {
      const line = lineOf(row.number);
      if (message.is_whole) line.dataset.place = place;
      fill(line, row);
    });
    if (message.all) fill(all, message.all);
    const today = board.querySelector("[data-today]");
    if (today && message.until !== undefined) {
      write(today.querySelector("[data-until]"), message.until);
      today.hidden = !message.until;
    }
    if (!message.is_whole) return;
    const numbers = new Set(message.rows.map((row) => String(row.number)));
    [...rows.children].filter((line) => !numbers.has(line.dataset.number)).forEach((line) => line.remove());
    showPage();
  };

  /* --- order: changed only now and then, and not while somebody points at a row --- */
  const waitingOf = (row) => (row ? (row.in_plan || 0) + (row.ringing || 0) : 0);
  const compare = (one, other) => {
    const [a, b] = [figures.get(one), figures.get(other)];
    const byName = one.dataset.place - other.dataset.place;
    if (board.dataset.order !== "waiting" || !a || !b) return byName;
    const bySince = (a.wait || "~") < (b.wait || "~") ? -1 : 1;
    return waitingOf(b) - waitingOf(a) || ((a.wait || "") === (b.wait || "") ? byName : bySince);
  };
  const sort = () => {
    const now = [...rows.children];
    // Before the first message the order is that of the page.
    if (rows.matches(":hover, :focus-within") || !now.every((line) => figures.has(line))) return;
    const sorted = [...now].sort(compare);
    if (sorted.some((line, place) => line !== now[place])) rows.append(...sorted);
    showPage();
  };

  /* --- a screen shows as many rows as it has room for, one page after the other --- */
  let page = 0;
  const showPage = () => {
    if (!kiosk) return;
    const lines = [...rows.children];
    lines.forEach((line) => { line.hidden = false; });
    const top = rows.getBoundingClientRect().top + scrollY;
    const height = lines[0]?.getBoundingClientRect().height || 1;
    const size = Math.max(1, Math.floor((innerHeight - top) / height));
    const pages = Math.max(1, Math.ceil(lines.length / size));
    page %= pages;
    lines.forEach((line, place) => { line.hidden = Math.floor(place / size) !== page; });
    const shown = { first: page * size + 1, last: Math.min(lines.length, (page + 1) * size), all: lines.length };
    write(kiosk.querySelector("[data-page-of]"), pages > 1 ? text("pages", shown) : "");
  };

  /* --- whether it is live --- */
  let heardAt = performance.now();
  let saidAt = board.dataset.at; // the time of the figures that are shown
  let isOver = false;
  const heard = (at) => {
    heardAt = performance.now();
    saidAt = at;
    setClock(at);
    sayStale();
  };
  const sayStale = () => {
    const isStale = isOver || performance.now() - heardAt > STALE_AFTER_MS;
    const wasStale = !stale.hidden;
    board.classList.toggle("is-stale", isStale);
    const words = text(isOver ? "signed-out" : "not-live", { at: clock.format(new Date(saidAt)) });
    if (isStale) write(stale, words);
    stale.hidden = !isStale;
    if (isStale !== wasStale) showPage(); // the bar takes room
  };
  const end = () => {
    isOver = true;
    if (kiosk) location.reload(); // the page asks for another key, and says why
    else sayStale();
  };

  /* --- the stream, and asking --- */
  const readStream = () =>
    liveStream.read(board.dataset.streamUrl, {
      silentAfterMs: STALE_AFTER_MS,
      heardAt: () => heardAt,
      take: (name, message) => { if (name === "board") take(message); },
    });
  let isAsking = false;
  let askAt = 0;
  const ask = async (isAtOnce = false) => {
    const now = performance.now();
    if (isOver || isAsking || (!isAtOnce && (now < askAt || now - heardAt < ASK_AFTER_MS))) return;
    isAsking = true;
    askAt = now + board.dataset.pollS * 1000;
    try {
      const asked = { headers: { Accept: "application/json" }, cache: "no-store", signal: AbortSignal.timeout(10_000) };
      const answer = await fetch(board.dataset.stateUrl, asked);
      if (answer.status === 403) end();
      else if (answer.ok) take(await answer.json());
    } catch {
      // Asked again.
    } finally {
      isAsking = false;
    }
  };

  // After a refusal, asking says whether it is over.
  const listen = () => liveStream.follow(readStream, () => isOver, () => ask(true));

  setClock(board.dataset.at);
  const tick = () => {
    for (const [line, row] of figures) {
      if (!line.isConnected) figures.delete(line);
      else if (row.wait) write(line.querySelector('[data-figure="wait"] [data-value]'), waited(row.wait));
    }
    if (kiosk) write(kiosk.querySelector("[data-clock]"), clock.format(new Date(serverNow())));
    sayStale();
    ask();
  };
  setInterval(tick, 1000);
  setInterval(sort, SORT_EVERY_MS);
  if (kiosk) {
    setInterval(() => { page += 1; showPage(); }, NEXT_PAGE_MS);
    addEventListener("resize", showPage);
    showPage();
  }
  tick();
  listen();
})();
