/* Calls that ring for the person who is signed in: cards on every page, and notifications.

   One tab leads, the one that holds the lock: it reads the stream of the process `live`, notifies and reports. By a
   BroadcastChannel it tells the other tabs what rings, always all of it, so that none depends on earlier messages. */
(() => {
  const root = document.getElementById("ringing");
  if (!root) return;

  const SETUP_FOR_MS = 5 * 60_000; // how long a tab keeps what /live/state said of the person
  const ASK_AGAIN_MS = 60_000; // how often it is asked at least while no calls can ring for them
  const SILENT_AFTER_MS = 20_000; // the server sends something every 15 seconds
  const LONGEST_REST_MS = 8_000;
  const CLOSED_FOR_MS = 4_000; // how long a card says how the ringing ended
  const TALKS_AT_MOST_MS = 4 * 3_600_000; // an answered call is not shown for longer: its end did not arrive
  const MOST_IN_BAR = 4; // cards over a page; My calls has all
  const REMEMBERED = 50; // rings that were dismissed or notified of
  const named = (name) => `calltally-${name}-${root.dataset.user}`;
  const text = (name, values = {}) =>
    (root.getAttribute(`data-${name}`) || "").replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");

  /* --- what a browser keeps; storage may be forbidden --- */
  const load = (storage, name) => {
    try {
      return JSON.parse(window[storage].getItem(named(name)));
    } catch {
      return null;
    }
  };
  const save = (storage, name, value) => {
    try {
      window[storage].setItem(named(name), JSON.stringify(value));
    } catch {
      // The page works without it: a reload asks again.
    }
  };
  const remembered = (name) => load("localStorage", name) || [];
  const remember = (name, id) => save("localStorage", name, [...remembered(name), id].slice(-REMEMBERED));

  /* --- state of this tab --- */
  let setup = null; // what /live/state said: stream_url, profile, poll_s
  let rings = new Map(); // by the id of the ring
  let isLive = true; // whether the leading tab hears the stream
  let leads = false;
  // Tabs tell each other, because what one stores others may read only later.
  const dismissed = new Set(remembered("dismissed"));
  let serverAhead = 0; // milliseconds from performance.now() to the clock of the server
  const serverNow = () => performance.now() + serverAhead;
  const setClock = (at) => { if (at) serverAhead = Date.parse(at) - performance.now(); };

  /* --- between tabs --- */
  const channel = "BroadcastChannel" in window ? new BroadcastChannel(named("rings")) : null;
  const tell = (message) => channel?.postMessage(message);
  const tellAll = () => {
    tell({ rings: [...rings.values()], isLive, at: new Date(serverNow()).toISOString() });
    draw();
  };
  channel?.addEventListener("message", ({ data }) => {
    if (data.setup) setup = data.setup;
    if (data.dismissed) {
      dismissed.add(data.dismissed);
      draw();
    }
    if (data.noted) takeNote(data.noted);
    if (leads) {
      if (data.hello) tellAll();
      if (data.report) report(...data.report);
    } else if (data.rings) {
      rings = new Map(data.rings.map((ring) => [ring.ring, ring]));
      isLive = data.isLive;
      setClock(data.at);
      draw();
    }
  });

  /* --- what happens to rings --- */
  const removeLater = (id, ms) => setTimeout(() => { if (rings.delete(id)) tellAll(); }, ms);
  const change = (id, values) => {
    const ring = rings.get(id);
    if (ring) rings.set(id, { ...ring, ...values });
    return ring !== undefined;
  };
  const takeNote = ({ ring: id, note }) => {
    const call = rings.get(id)?.call;
    for (const ring of rings.values()) if (ring.call && ring.call === call) change(ring.ring, { own_note: note });
    for (const form of document.querySelectorAll(`[data-note] form[data-ring="${id}"]`)) giveNote(form, note);
    draw();
  };
  const EVENTS = {
    state: (data) => {
      setClock(data.at);
      rings = new Map(data.rings.map((ring) => [ring.ring, ring]));
      data.rings.forEach(notify);
    },
    ring: (ring) => {
      rings.set(ring.ring, ring);
      notify(ring);
    },
    answered: (data) => change(data.ring, { state: "answered", by: data.by || "" }),
    closed: (data) => {
      if (change(data.ring, { state: "closed", why: data.why || "", by: data.by || "" })) {
        removeLater(data.ring, CLOSED_FOR_MS);
      }
      closeNotification(data.ring);
    },
    caller: (data) => change(data.ring, data), // a look-up came back
  };
  const take = (name, data) => {
    if (!EVENTS[name]) return;
    EVENTS[name](data);
    tellAll();
    if (name === "closed") document.dispatchEvent(new Event("ringended"));
  };

  /* --- what was on a screen or opened, in batches --- */
  const waiting = { shown: new Set(), opened: new Set() };
  const reported = new Set();
  let flushing = 0;
  const flush = async () => {
    clearTimeout(flushing);
    flushing = 0;
    const body = { shown: [...waiting.shown], opened: [...waiting.opened] };
    if (!body.shown.length && !body.opened.length) return;
    waiting.shown.clear();
    waiting.opened.clear();
    const headers = {
      "Content-Type": "application/json",
      "X-CSRFToken": root.querySelector("[name=csrfmiddlewaretoken]").value,
    };
    try {
      const sent = { method: "POST", headers, body: JSON.stringify(body), keepalive: true };
      const answer = await fetch(root.dataset.shownUrl, sent);
      if (answer.status < 500) return;
    } catch {
      // Sent again below.
    }
    for (const what of ["shown", "opened"]) body[what].forEach((id) => waiting[what].add(id));
    flushing ||= setTimeout(flush, 5000);
  };
  const report = (what, id) => {
    if (reported.has(`${what} ${id}`)) return;
    reported.add(`${what} ${id}`);
    if (setup?.connected && !leads) {
      tell({ report: [what, id] });
      return;
    }
    waiting[what].add(id);
    flushing ||= setTimeout(flush, 200);
  };
  addEventListener("pagehide", flush);

  /* --- notifications: by the leading tab, one for each call --- */
  const notifications = new Map(); // by the id of the ring
  /* Where a ring leads: the links into other systems, then the page of the call. A blank target is a new tab. */
  const linksOf = (ring) => {
    const links = (ring.links || []).map((link) => ({ ...link, target: link.target || "_blank" }));
    const label = links.length ? text("call") : text("open");
    return ring.call_url ? [...links, { label, url: ring.call_url, target: "calltally-call" }] : links;
  };
  const firstOf = (ring) => linksOf(ring)[0] || { label: text("open"), url: root.dataset.pageUrl, target: "" };
  const closeNotification = (id) => notifications.get(id)?.close();
  const beep = () => {
    try {
      const sound = new AudioContext();
      const tone = sound.createOscillator();
      const volume = sound.createGain();
      volume.gain.value = 0.1;
      tone.connect(volume).connect(sound.destination);
      tone.start();
      tone.stop(sound.currentTime + 0.3);
      tone.addEventListener("ended", () => sound.close());
    } catch {
      // Without sound.
    }
  };
  const openRecord = (ring) => {
    report("opened", ring.ring);
    const { url, target } = firstOf(ring);
    return window.open(url, target || "calltally-call");
  };
  const notify = (ring) => {
    if (ring.state !== "ringing" || remembered("notified").includes(ring.ring)) return;
    remember("notified", ring.ring);
    if (setup?.profile?.sound) beep();
    if (setup?.profile?.open_at_once && linksOf(ring).length) openRecord(ring);
    if (!setup?.profile?.notification || !("Notification" in window) || Notification.permission !== "granted") return;
    try {
      const lines = [ring.number.name, ring.destination, ring.contact?.company].filter(Boolean);
      const options = { body: lines.join(" · "), tag: `calltally-call-${ring.call || ring.ring}` };
      const notification = new Notification(callerOf(ring), options);
      notifications.set(ring.ring, notification);
      notification.addEventListener("show", () => report("shown", ring.ring));
      notification.addEventListener("click", () => {
        window.focus();
        if (!openRecord(ring)) location.assign(firstOf(ring).url);
        notification.close();
      });
    } catch {
      // Some phones allow notifications only to service workers; the cards are there.
    }
  };

  /* --- cards --- */
  const isHere = root.dataset.here === "yes"; // My calls shows them in the page
  const list = isHere ? document.getElementById("rings-now") : root.querySelector("[data-cards]");
  const late = document.getElementById("ringing-late");
  const spoken = document.getElementById("ringing-spoken");
  const cards = new Map();
  const shown = new WeakMap(); // the ring that a card shows
  const ORDER = ["ringing", "answered", "rang_before", "closed"];
  // As the pages write dates: 28 Nov, 16:17.
  const language = document.documentElement.lang.replace(/^(en)?$/, "en-GB");
  const moment = new Intl.DateTimeFormat(language, {
    timeZone: root.dataset.zone, day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
  });

  const callerOf = (ring) => ring.contact?.name || (ring.caller.is_withheld ? text("withheld") : ring.caller.text);
  const calledOf = (ring, words = "called") => {
    const values = { caller: callerOf(ring), number: ring.number.name, destination: ring.destination };
    return text(ring.destination ? `${words}-at` : words, values);
  };
  const stateOf = (ring) => {
    if (ring.state === "closed") {
      if (ring.by) return text("answered-by", { by: ring.by });
      return text(`why-${ring.why}`) || text("ended");
    }
    if (ring.state === "answered" && ring.by) return text("answered-by", { by: ring.by });
    return text(ring.state) || text("ringing");
  };
  const earlierOf = (ring) => {
    if (ring.caller.is_withheld || !ring.earlier) return "";
    if (!ring.earlier.calls) return text("first-call");
    const at = ring.earlier.last_at ? moment.format(new Date(ring.earlier.last_at)) : "";
    return text("earlier", { n: ring.earlier.calls, at, outcome: ring.earlier.last_outcome || "–" });
  };
  const contactOf = (ring) => {
    const { company, customer_number: customerNumber, others } = ring.contact || {};
    const customer = customerNumber ? text("customer", { n: customerNumber }) : "";
    return [company, customer, others ? text("others", { n: others }) : ""].filter(Boolean).join(" · ");
  };
  const clock = (ring) => {
    const seconds = Math.max(0, Math.round((serverNow() - Date.parse(ring.rang_at)) / 1000));
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  };

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
      dismissed.add(ring.ring);
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
    const all = [...rings.values()]
      .filter((ring) => !dismissed.has(ring.ring) && !isLongOver(ring))
      .sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.ring - b.ring);
    const toShow = isHere ? all : inBar(all);
    const ids = new Set(toShow.map(({ ring }) => ring));
    for (const [id, card] of [...cards].filter(([id]) => !ids.has(id))) {
      if (dismissed.has(id) || !isWritten(card)) remove(id);
      else fill(card, rings.get(id) || { ...shown.get(card), state: "closed", why: "answered" });
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
    late.hidden = isLive;
    const detail = { isConnected: setup?.connected ?? false, isLive, rings: cards.size };
    document.dispatchEvent(new CustomEvent("calltally:rings", { detail }));
  };
  setInterval(() => {
    for (const [id, card] of cards) if (rings.has(id)) fill(card, rings.get(id));
    if ([...cards.keys()].some((id) => !rings.has(id))) draw(); // kept while a note was written
  }, 1000);
  document.addEventListener("calltally:noted", ({ detail }) => {
    tell({ noted: detail });
    takeNote(detail);
  });
  document.addEventListener("visibilitychange", draw); // what appeared in a hidden tab is shown now

  /* --- the leading tab --- */
  let heardAt = 0;
  const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });
  const ask = async () => {
    const answer = await fetch(root.dataset.stateUrl, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (!answer.ok || answer.redirected) return { status: answer.redirected ? 403 : answer.status };
    return { status: 200, state: await answer.json() };
  };
  const keep = ({ rings: _, ...said }) => {
    setup = said;
    save("sessionStorage", "setup", { ...said, until: Date.now() + (said.connected ? SETUP_FOR_MS : ASK_AGAIN_MS) });
    tell({ setup });
  };
  const takeFrame = (frame) => {
    let name = "";
    let data = "";
    for (const line of frame.split("\n")) {
      if (line.startsWith("event:")) name = line.slice(6).trim();
      if (line.startsWith("data:")) data += line.slice(5);
    }
    if (name && data) take(name, JSON.parse(data));
  };
  const hear = () => {
    heardAt = performance.now();
    if (isLive) return;
    isLive = true;
    tellAll();
  };
  /* Read the stream until it ends; return the status with which it was refused, or 0. An EventSource would hide
     this status and the heartbeat. */
  const readStream = async () => {
    const stop = new AbortController();
    const beganAt = performance.now();
    const watch = setInterval(() => {
      if (performance.now() - Math.max(beganAt, heardAt) > SILENT_AFTER_MS) stop.abort();
    }, 1000);
    try {
      const headers = { Accept: "text/event-stream" };
      const asked = { headers, credentials: "include", cache: "no-store", signal: stop.signal };
      const answer = await fetch(setup.stream_url, asked);
      if (answer.status !== 200) return answer.status;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let kept = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return 0;
        hear();
        const frames = (kept + value).split("\n\n");
        kept = frames.pop();
        frames.forEach(takeFrame);
      }
    } catch {
      return 0;
    } finally {
      clearInterval(watch);
      stop.abort(); // the body of a refusal is not read
    }
  };
  const poll = async () => {
    try {
      const { status, state } = await ask();
      if (status === 200) {
        take("state", state);
        return state.connected;
      }
      return ![401, 403].includes(status);
    } catch {
      return true; // the next one may arrive
    }
  };
  const lead = async () => {
    leads = true;
    heardAt = performance.now();
    let goesOn = true;
    let restMs = 1000;
    let pollAt = 0;
    const polls = setInterval(async () => {
      const now = performance.now();
      if (now - heardAt <= SILENT_AFTER_MS || now < pollAt) return;
      pollAt = now + (setup.poll_s || 5) * 1000;
      isLive = false;
      goesOn = (await poll()) && goesOn;
      if (!goesOn) stopped();
    }, 1000);
    const stopped = () => {
      clearInterval(polls);
      save("sessionStorage", "setup", null);
      rings.clear();
      isLive = true;
      tellAll();
    };
    while (goesOn) {
      const beganAt = performance.now();
      const status = await readStream();
      if ([204, 401, 403].includes(status)) goesOn = false;
      if (!goesOn) break;
      restMs = performance.now() - beganAt > 30_000 ? 1000 : Math.min(restMs * 2, LONGEST_REST_MS);
      // Random, so that tabs that were cut off together do not come back together.
      await pause(restMs * (0.5 + Math.random() / 2));
    }
    stopped();
  };

  /* Ask until calls can ring for the person, or they are signed out. Another tab may have said so. */
  const askUntilConnected = async () => {
    while (!setup.connected) {
      await pause(ASK_AGAIN_MS * (0.75 + Math.random() / 4));
      if (setup.connected) return;
      try {
        const { status, state } = await ask();
        if ([401, 403].includes(status)) return;
        if (status === 200) keep(state);
      } catch {
        // Asked again.
      }
    }
  };
  const start = async () => {
    const kept = load("sessionStorage", "setup");
    if (kept && kept.until > Date.now() && !isHere) {
      setup = kept;
    } else {
      try {
        const { status, state } = await ask();
        if (status !== 200) return;
        keep(state);
        setClock(state.at);
      } catch {
        return; // the next page asks again
      }
    }
    draw();
    // They may be named at a destination while their page is open. One tab asks for all.
    if (!setup.connected && navigator.locks) await navigator.locks.request(named("asks"), askUntilConnected);
    else if (!setup.connected) await askUntilConnected();
    if (!setup.connected) return;
    tell({ hello: true });
    if (navigator.locks) navigator.locks.request(named("leads"), lead);
    else lead(); // without HTTPS there are no locks: each tab reads for itself
  };

  /* After a test call. It arrives by the stream, or by this if there is none. */
  document.addEventListener("calltally:ask", async () => {
    if (setup?.connected && isLive) return;
    do {
      await poll();
      await pause(5000);
    } while (rings.size && !setup?.connected);
  });
  start();
})();
