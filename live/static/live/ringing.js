/* Calls that ring for the person who is signed in: what arrives, in every tab.

   One tab leads, the one that holds the lock: it reads the stream of the process `live`, notifies and reports. By a
   BroadcastChannel it tells the other tabs what rings, always all of it, so that none depends on earlier messages. */
(() => {
  if (!ringTab) return;

  const { root, named, load, save, serverNow, setClock, change, channel, tell, report } = ringTab;
  const { notify, closeNotification } = ringNotices;
  const { isHere, draw, takeNote } = ringCards;
  const SETUP_FOR_MS = 5 * 60_000; // how long a tab keeps what /live/state said of the person
  const ASK_AGAIN_MS = 60_000; // how often it is asked at least while no calls can ring for them
  const ASK_AFTER_FAULT_MS = 2_000; // when it is asked again if it did not answer, then more and more rarely
  const SILENT_AFTER_MS = 20_000; // the server sends something every 15 seconds
  const CLOSED_FOR_MS = 4_000; // how long a card says how the ringing ended

  /* --- between tabs --- */
  const tellAll = () => {
    tell({ rings: [...ringTab.rings.values()], isLive: ringTab.isLive, at: new Date(serverNow()).toISOString() });
    draw();
  };
  channel?.addEventListener("message", ({ data }) => {
    if (data.setup) ringTab.setup = data.setup;
    if (data.dismissed) {
      ringTab.dismissed.add(data.dismissed);
      draw();
    }
    if (data.noted) takeNote(data.noted);
    if (ringTab.leads) {
      if (data.hello) tellAll();
      if (data.report) report(...data.report);
    } else if (data.rings) {
      ringTab.rings = new Map(data.rings.map((ring) => [ring.ring, ring]));
      ringTab.isLive = data.isLive;
      setClock(data.at);
      draw();
    }
  });

  /* --- what happens to rings --- */
  const removeLater = (id, ms) => setTimeout(() => { if (ringTab.rings.delete(id)) tellAll(); }, ms);
  const EVENTS = {
    state: (data) => {
      setClock(data.at);
      const before = [...ringTab.rings.keys()];
      ringTab.rings = new Map(data.rings.map((ring) => [ring.ring, ring]));
      before.filter((id) => !ringTab.rings.has(id)).forEach(closeNotification); // ended while nothing was heard
      data.rings.forEach(notify);
    },
    ring: (ring) => {
      ringTab.rings.set(ring.ring, ring);
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

  /* --- the leading tab --- */
  let heardAt = 0;
  const ask = async () => {
    const answer = await fetch(root.dataset.stateUrl, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (!answer.ok || answer.redirected) return { status: answer.redirected ? 403 : answer.status };
    return { status: 200, state: await answer.json() };
  };
  const keep = ({ rings: _, ...said }) => {
    ringTab.setup = said;
    save("sessionStorage", "setup", { ...said, until: Date.now() + (said.connected ? SETUP_FOR_MS : ASK_AGAIN_MS) });
    tell({ setup: said });
  };
  const hear = () => {
    heardAt = performance.now();
    if (ringTab.isLive) return;
    ringTab.isLive = true;
    tellAll();
  };
  const readStream = () =>
    liveStream.read(ringTab.setup.stream_url, { silentAfterMs: SILENT_AFTER_MS, heardAt: () => heardAt, hear, take });
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
    ringTab.leads = true;
    heardAt = performance.now();
    let goesOn = true;
    let pollAt = 0;
    const polls = setInterval(async () => {
      const now = performance.now();
      if (now - heardAt <= SILENT_AFTER_MS || now < pollAt) return;
      pollAt = now + (ringTab.setup.poll_s || 5) * 1000;
      ringTab.isLive = false;
      goesOn = (await poll()) && goesOn;
      if (!goesOn) stopped();
    }, 1000);
    const stopped = () => {
      clearInterval(polls);
      save("sessionStorage", "setup", null);
      ringTab.rings.clear();
      ringTab.isLive = true;
      tellAll();
    };
    await liveStream.follow(readStream, () => !goesOn, () => { goesOn = false; });
    stopped();
  };

  /* Ask until there is an answer; null if the person is signed out. */
  const askUntilAnswered = async () => {
    for (let restMs = ASK_AFTER_FAULT_MS; ; restMs = Math.min(restMs * 2, ASK_AGAIN_MS)) {
      try {
        const { status, state } = await ask();
        if (status === 200) return state;
        if ([401, 403].includes(status)) return null;
      } catch {
        // Asked again.
      }
      await liveStream.pause(restMs * (0.75 + Math.random() / 4));
    }
  };
  /* Ask until calls can ring for the person, or they are signed out. Another tab may have said so. */
  const askUntilConnected = async () => {
    while (!ringTab.setup.connected) {
      await liveStream.pause(ASK_AGAIN_MS * (0.75 + Math.random() / 4));
      if (ringTab.setup.connected) return;
      const state = await askUntilAnswered();
      if (state === null) return;
      keep(state);
    }
  };
  const start = async () => {
    const kept = load("sessionStorage", "setup");
    if (kept && kept.until > Date.now() && !isHere) {
      ringTab.setup = kept;
    } else {
      const state = await askUntilAnswered();
      if (state === null) return;
      keep(state);
      setClock(state.at);
    }
    draw();
    // They may be named at a destination while their page is open. One tab asks for all.
    if (!ringTab.setup.connected && navigator.locks) await navigator.locks.request(named("asks"), askUntilConnected);
    else if (!ringTab.setup.connected) await askUntilConnected();
    if (!ringTab.setup.connected) return;
    tell({ hello: true });
    if (navigator.locks) navigator.locks.request(named("leads"), lead);
    else lead(); // without HTTPS there are no locks: each tab reads for itself
  };

  /* After a test call. It arrives by the stream, or by this if there is none. */
  document.addEventListener("calltally:ask", async () => {
    if (ringTab.setup?.connected && ringTab.isLive) return;
    do {
      await poll();
      await liveStream.pause(5000);
    } while (ringTab.rings.size && !ringTab.setup?.connected);
  });
  start();
})();
