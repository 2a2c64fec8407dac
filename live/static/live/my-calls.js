/* The page My calls: whether calls arrive at once, the permission for notifications, the test call. */
(() => {
  const page = document.getElementById("my-calls");
  if (!page) return;
  const show = (name, is) => {
    for (const part of page.querySelectorAll(`[data-if="${name}"]`)) part.hidden = !is;
  };

  /* --- ringing now --- */
  document.addEventListener("calltally:rings", ({ detail }) => {
    show("nothing-rings", detail.rings === 0);
    show("live", detail.isConnected && detail.isLive);
  });
  ringCards?.draw(); // what was drawn before this script arrived was not heard

  /* --- notifications: browsers ask only after a click --- */
  const permission = () => {
    const state = "Notification" in window && window.isSecureContext ? Notification.permission : "impossible";
    for (const name of ["default", "granted", "denied", "impossible"]) show(`notifications-${name}`, name === state);
  };
  page.querySelector("[data-allow]").addEventListener("click", async () => {
    await Notification.requestPermission();
    permission();
  });
  permission();

  /* --- test call --- */
  const form = page.querySelector("[data-test]");
  show("script", true);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const failed = form.querySelector("[data-failed]");
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
      failed.hidden = answer.ok;
      if (answer.ok) document.dispatchEvent(new Event("calltally:ask"));
    } catch {
      failed.hidden = false;
    }
  });
})();
