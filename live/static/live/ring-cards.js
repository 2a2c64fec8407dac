/* Cards of calls that ring: over every page, and in the page My calls. */
const ringCards = ringTab && (() => {
  const { root, text, remember, serverNow, change, tell, report } = ringTab;
  const { linksOf, firstOf, callerOf, calledOf, stateOf, earlierOf, contactOf, clock } = ringWords;
  const TALKS_AT_MOST_MS = 4 * 3_600_000; // an answered call is not shown for longer: its end did not arrive
  const MOST_IN_BAR = 4; // cards over a page; My calls has all
  const ORDER = ["ringing", "answered", "rang_before", "closed"];
  const isHere = root.dataset.here === "yes"; // My calls shows them in the page
  const list = isHere ? document.getElementById("rings-now") : root.querySelector("[data-cards]");
  const late = document.getElementById("ringing-late");
  const spoken = document.getElementById("ringing-spoken");
  const cards = new Map();
  const shown = new WeakMap(); // the ring that a card shows

  /* The links after the first one. */
  const fillLinks = (card, ring) => {
    const place = card.querySelector("[data-links]");
    const further = linksOf(ring).slice(1);
    const key = JSON.stringify(further);
    if (place.dataset.key === key) return;
    place.dataset.key = key;
    place.replaceChildren(...further.map(({ label, url, target }) => {
      const link = document.createElement("a");
      Object.assign(link, { className: "button compact", href: url, target, textContent: label });
      link.addEventListener("click", () => report("opened", ring.ring));
      return link;
    }));
  };

  /* notes.js shows and saves it. */
  const giveNote = (form, note) => {
    form.dispatchEvent(new CustomEvent("calltally:stored", { bubbles: true, detail: note }));
  };
  const fillNote = (card, ring) => {
    const part = card.querySelector("[data-note]");
    const form = part.querySelector("form");
    const key = JSON.stringify(ring.own_note || null);
    const talked = ring.state === "answered" || ring.why === "answered";
    if (ring.call && talked && form.dataset.key !== key) {
      form.dataset.key = key;
      form.dataset.ring = ring.ring;
      giveNote(form, ring.own_note);
    }
    part.hidden = !ring.call || !talked;
  };
  /* Whether a note is written on a card, which then stays although its call has ended. */
  const isWritten = (card) => card.querySelector("form[data-unsaved], form:focus-within") !== null;

  const fill = (card, ring) => {
    shown.set(card, ring);
    const slot = (name, value) => {
      const part = card.querySelector(`[data-slot="${name}"]`);
      if (part.textContent !== value) part.textContent = value;
      part.hidden = !value;
    };
    card.dataset.state = ring.state;
    slot("state", stateOf(ring));
    slot("clock", ring.state === "closed" ? "" : clock(ring));
    slot("caller", callerOf(ring));
    slot("number", ring.contact?.name && !ring.caller.is_withheld ? ring.caller.text : "");
    slot("country", ring.caller.country || "");
    slot("called", calledOf(ring));
    slot("earlier", earlierOf(ring));
    slot("contact", contactOf(ring));
    slot("typed", (ring.typed || []).join(" · "));
    slot("important", ring.contact?.important ? text("important") : "");
    slot("note", ring.contact?.note || "");
    const open = card.querySelector("[data-open]");
    const first = firstOf(ring);
    // A link that is set again would lose a click that has begun.
    if (open.getAttribute("href") !== first.url) open.href = first.url;
    open.target = ring.links?.length ? first.target : "";
    open.textContent = first.label;
    open.hidden = isHere && !linksOf(ring).length;
    fillLinks(card, ring);
    fillNote(card, ring);
  };
  const make = (ring) => {
    const card = document.getElementById("ring-card").content.firstElementChild.cloneNode(true);
    card.querySelector("[data-open]").addEventListener("click", () => report("opened", ring.ring));
    card.querySelector("[data-dismiss]").addEventListener("click", () => {
      ringTab.dismissed.add(ring.ring);
      remember("dismissed", ring.ring);
      tell({ dismissed: ring.ring });
      draw();
    });
    return card;
  };
  const remove = (id) => {
    const card = cards.get(id);
    // Keyboard users go on at the content, not at the beginning of the page.
    if (card.contains(document.activeElement)) document.querySelector("main")?.focus({ preventScroll: true });
    card.remove();
    cards.delete(id);
  };
  /* Over a page: what rings, and of the calls that were answered the latest one. */
  const inBar = (all) => {
    const latest = all.findLast((ring) => ring.state === "answered");
    return all.filter((ring) => ring.state !== "answered" || ring === latest).slice(0, MOST_IN_BAR);
  };
  const isLongOver = (ring) =>
    ring.state === "answered" && serverNow() - Date.parse(ring.rang_at) > TALKS_AT_MOST_MS;
  const draw = () => {
    const all = [...ringTab.rings.values()]
      .filter((ring) => !ringTab.dismissed.has(ring.ring) && !isLongOver(ring))
      .sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.ring - b.ring);
    const toShow = isHere ? all : inBar(all);
    const ids = new Set(toShow.map(({ ring }) => ring));
    for (const [id, card] of [...cards].filter(([id]) => !ids.has(id))) {
      if (ringTab.dismissed.has(id) || !isWritten(card)) remove(id);
      else fill(card, ringTab.rings.get(id) || { ...shown.get(card), state: "closed", why: "answered" });
    }
    for (const ring of toShow) {
      const isNew = !cards.has(ring.ring);
      if (isNew) cards.set(ring.ring, make(ring));
      const card = cards.get(ring.ring);
      fill(card, ring);
      // A card that is moved would lose the focus.
      if (isNew) list.append(card);
      if (isNew && ring.state === "ringing") {
        spoken.textContent = calledOf(ring, "spoken");
      }
      if (!document.hidden && ring.state !== "closed") report("shown", ring.ring);
    }
    root.hidden = isHere || !cards.size;
    late.hidden = ringTab.isLive;
    const detail = { isConnected: ringTab.setup?.connected ?? false, isLive: ringTab.isLive, rings: cards.size };
    document.dispatchEvent(new CustomEvent("calltally:rings", { detail }));
  };
  /* Take over a note that was stored, here or in another tab. */
  const takeNote = ({ ring: id, note }) => {
    const call = ringTab.rings.get(id)?.call;
    for (const ring of ringTab.rings.values()) {
      if (ring.call && ring.call === call) change(ring.ring, { own_note: note });
    }
    for (const form of document.querySelectorAll(`[data-note] form[data-ring="${id}"]`)) giveNote(form, note);
    draw();
  };
  setInterval(() => {
    for (const [id, card] of cards) if (ringTab.rings.has(id)) fill(card, ringTab.rings.get(id));
    if ([...cards.keys()].some((id) => !ringTab.rings.has(id))) draw(); // kept while a note was written
  }, 1000);
  document.addEventListener("calltally:noted", ({ detail }) => {
    tell({ noted: detail });
    takeNote(detail);
  });
  document.addEventListener("visibilitychange", draw); // what appeared in a hidden tab is shown now

  return { isHere, draw, takeNote };
})();
