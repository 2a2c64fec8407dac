/* Warns before the session ends, reports keys and clicks to the server, and leads to the sign-in page at the end. */
(() => {
  const root = document.getElementById("session-end");
  if (!root) return;

  const WARN_S = 120;
  const TELL_AGAIN_MS = 60_000; // the server writes no more often
  const ASK_AGAIN_MS = 10_000; // while it warns: another tab may be used
  const title = document.title;
  let endsAt = Date.now() + root.dataset.leftS * 1000;
  let endsByIdling = root.dataset.endsByIdling === "yes";
  let toldAt = Date.now(); // opening the page was a use
  let askedAt = 0;

  /* The sign-in page leads back to this address. What is on the page must not stay on the screen. */
  const leave = () => {
    const here = encodeURIComponent(location.pathname + location.search);
    location.replace(`${root.dataset.signIn}?next=${here}&ended=1`);
  };

  const ask = async (method) => {
    askedAt = Date.now();
    const headers = { Accept: "application/json" };
    if (method === "POST") headers["X-CSRFToken"] = root.querySelector("[name=csrfmiddlewaretoken]").value;
    try {
      const answer = await fetch(root.dataset.url, { method, headers, cache: "no-store" });
      // 403: the page is older than the last sign-in here, and its form token with it.
      if (answer.status === 401 || (answer.status === 403 && !root.hidden)) leave();
      if (!answer.ok) return;
      const { left_s: leftS, ends_by_idling: byIdling } = await answer.json();
      [endsAt, endsByIdling] = [Date.now() + leftS * 1000, byIdling];
      draw();
    } catch {
      // Asked again.
    }
  };

  const warn = (leftS) => {
    const two = (n) => String(n).padStart(2, "0");
    root.querySelector("[data-clock]").textContent = `${Math.floor(leftS / 60)}:${two(leftS % 60)}`;
    if (!root.hidden) return;
    root.hidden = false;
    const text = endsByIdling ? root.dataset.idle : root.dataset.over;
    root.querySelector("[data-text]").textContent = text; // once: it is read out
    root.querySelector("[data-stay]").hidden = !endsByIdling;
    document.title = `${root.dataset.title} · ${title}`;
    if (document.hidden && window.Notification?.permission === "granted") {
      new Notification(text, { tag: "calltally-session-end" });
    }
  };
  const draw = () => {
    const leftS = Math.max(0, Math.round((endsAt - Date.now()) / 1000));
    if (leftS <= WARN_S) {
      warn(leftS);
    } else if (!root.hidden) {
      root.hidden = true;
      document.title = title;
    }
  };
  const tick = async () => {
    const leftS = (endsAt - Date.now()) / 1000;
    if (leftS <= WARN_S && Date.now() - askedAt > (leftS > 0 ? ASK_AGAIN_MS : 1000)) await ask("GET");
    else draw();
  };
  setInterval(tick, 1000);

  const use = () => {
    if (!endsByIdling || Date.now() - toldAt < TELL_AGAIN_MS) return;
    toldAt = Date.now();
    ask("POST");
  };
  for (const kind of ["pointerdown", "keydown", "wheel"]) addEventListener(kind, use, { passive: true });
  root.querySelector("[data-stay]").addEventListener("click", () => {
    toldAt = Date.now();
    ask("POST");
  });

  /* A stream was refused: the session may have been ended elsewhere. */
  document.addEventListener("calltally:refused", () => ask("GET"));
})();
