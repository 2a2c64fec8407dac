/* A ring in words, and where it leads. The words are attributes of the page (templates/live/_ringing.html). */
const ringWords = ringTab && (() => {
  const { root, text, dates, serverNow } = ringTab;
  const moment = dates({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

  /* Where a ring leads: the links into other systems, then the page of the call. A blank target is a new tab. */
  const linksOf = (ring) => {
    const links = (ring.links || []).map((link) => ({ ...link, target: link.target || "_blank" }));
    const label = links.length ? text("call") : text("open");
    return ring.call_url ? [...links, { label, url: ring.call_url, target: "calltally-call" }] : links;
  };
  const firstOf = (ring) => linksOf(ring)[0] || { label: text("open"), url: root.dataset.pageUrl, target: "" };

  const callerOf = (ring) => ring.contact?.name || (ring.caller.is_withheld ? text("withheld") : ring.caller.text);
  const calledOf = (ring, words = ring.state === "ringing" ? "called" : "rang") => {
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

  return { linksOf, firstOf, callerOf, calledOf, stateOf, earlierOf, contactOf, clock };
})();
