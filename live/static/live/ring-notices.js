/* Notifications of calls that ring, by the leading tab: one for each call; sound and first link as the person wants. */
const ringNotices = ringTab && (() => {
  const { remembered, remember, report } = ringTab;
  const { linksOf, firstOf, callerOf } = ringWords;
  const notifications = new Map(); // by the id of the ring
  const notified = new Set(); // where storage is forbidden; otherwise a tab that leads later knows of them too

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
    if (ring.state !== "ringing" || notified.has(ring.ring) || remembered("notified").includes(ring.ring)) return;
    notified.add(ring.ring);
    remember("notified", ring.ring);
    const profile = ringTab.setup?.profile;
    if (profile?.sound) beep();
    if (profile?.open_at_once && linksOf(ring).length) openRecord(ring);
    if (!profile?.notification || !("Notification" in window) || Notification.permission !== "granted") return;
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
  const closeNotification = (id) => notifications.get(id)?.close();

  return { notify, closeNotification };
})();
