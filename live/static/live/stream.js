/* Reads streams of the process `live`, for rings and for the board. An EventSource would hide the status with which a
   stream is refused, and the heartbeat. */
const liveStream = (() => {
  const STEADY_AFTER_MS = 30_000;
  const SHORTEST_REST_MS = 1_000;
  const LONGEST_REST_MS = 8_000;

  const takeFrame = (frame, take) => {
    let name = "";
    let data = "";
    for (const line of frame.split("\n")) {
      if (line.startsWith("event:")) name = line.slice(6).trim();
      if (line.startsWith("data:")) data += line.slice(5);
    }
    if (name && data) take(name, JSON.parse(data));
  };

  /* Read a stream until it ends, or until `heardAt` is so long ago; return the status with which it was refused, or 0.
     `hear` is called whenever something arrives, `take` with each event. */
  const read = async (url, { silentAfterMs, heardAt, hear, take }) => {
    const stop = new AbortController();
    const beganAt = performance.now();
    const watch = setInterval(() => {
      if (performance.now() - Math.max(beganAt, heardAt()) > silentAfterMs) stop.abort();
    }, 1000);
    try {
      const headers = { Accept: "text/event-stream" };
      const asked = { headers, credentials: "include", cache: "no-store", signal: stop.signal };
      const answer = await fetch(url, asked);
      if (answer.status !== 200) return answer.status;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let kept = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return 0;
        hear?.();
        const frames = (kept + value).split("\n\n");
        kept = frames.pop();
        frames.forEach((frame) => takeFrame(frame, take));
      }
    } catch {
      return 0;
    } finally {
      clearInterval(watch);
      stop.abort(); // the body of a refusal is not read
    }
  };

  const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

  /* Read a stream again and again, until it is over; `refused` is called when the stream was refused. */
  const follow = async (readOnce, isOver, refused) => {
    let restMs = SHORTEST_REST_MS;
    while (!isOver()) {
      const beganAt = performance.now();
      const status = await readOnce();
      if ([401, 403].includes(status)) document.dispatchEvent(new Event("calltally:refused"));
      if ([204, 401, 403].includes(status)) await refused();
      if (isOver()) return;
      restMs = performance.now() - beganAt > STEADY_AFTER_MS ? SHORTEST_REST_MS : Math.min(restMs * 2, LONGEST_REST_MS);
      // Random, so that pages that were cut off together do not come back together.
      await pause(restMs * (0.5 + Math.random() / 2));
    }
  };

  return { read, follow, pause };
})();
