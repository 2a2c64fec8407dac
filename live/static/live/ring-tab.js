/* What one tab knows of calls that ring for the person, what it keeps, and what it tells the other tabs and the server.
   The other scripts of rings build on it; without a person there is none. */
const ringTab = (() => {
  const root = document.getElementById("ringing");
  if (!root) return null;

  const REMEMBERED = 50; // rings that were dismissed or notified of
  const named = (name) => `calltally-${name}-${root.dataset.user}`;
  const text = (name, values = {}) =>
    (root.getAttribute(`data-${name}`) || "").replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");

  const dates = (parts) => liveDates(root.dataset.zone, parts);

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

  /* --- state --- */
  const tab = {
    setup: null, // what /live/state said: stream_url, profile, poll_s
    rings: new Map(), // by the id of the ring
    isLive: true, // whether the leading tab hears the stream
    leads: false,
    // Tabs tell each other, because what one stores others may read only later.
    dismissed: new Set(remembered("dismissed")),
  };
  let serverAhead = 0; // milliseconds from performance.now() to the clock of the server
  const serverNow = () => performance.now() + serverAhead;
  const setClock = (at) => { if (at) serverAhead = Date.parse(at) - performance.now(); };
  const change = (id, values) => {
    const ring = tab.rings.get(id);
    if (ring) tab.rings.set(id, { ...ring, ...values });
    return ring !== undefined;
  };

  /* --- between tabs --- */
  const channel = "BroadcastChannel" in window ? new BroadcastChannel(named("rings")) : null;
  const tell = (message) => channel?.postMessage(message);

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
    if (tab.setup?.connected && !tab.leads) {
      tell({ report: [what, id] });
      return;
    }
    waiting[what].add(id);
    flushing ||= setTimeout(flush, 200);
  };
  addEventListener("pagehide", flush);

  return Object.assign(tab, {
    root, named, text, dates, load, save, remembered, remember, serverNow, setClock, change, channel, tell, report,
  });
})();
