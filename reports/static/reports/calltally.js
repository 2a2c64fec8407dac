/* Menus, copy buttons, and counts that refresh themselves without moving the page. */
(() => {
  /* --- menus: details elements, closed by Esc or a click elsewhere --- */
  const openMenus = () => [...document.querySelectorAll("details.menu[open]")];

  document.addEventListener("click", (event) => {
    for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
  });

  /* A menu that would overflow on the right opens to the left. */
  const keepInside = (menu) => {
    const pop = menu.querySelector(":scope > .menu-panel");
    if (menu.open && pop && pop.getBoundingClientRect().right > document.documentElement.clientWidth) {
      menu.classList.add("to-left");
    }
  };
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("details.menu")) keepInside(event.target);
  }, true);
  openMenus().forEach(keepInside);

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of openMenus()) {
      const within = menu.contains(document.activeElement);
      menu.open = false;
      if (within) menu.querySelector("summary").focus();
    }
  });

  /* --- buttons that need this script are hidden without it, and the other way round --- */
  const start = (part) => {
    for (const button of part.querySelectorAll("[data-copy], [data-show-password]")) button.hidden = false;
    for (const button of part.querySelectorAll("[data-without-script]")) button.hidden = true;
  };

  /* --- a menu of boxes applies each of them at once, and stays open for the next --- */
  const NEXT_TICK_MS = 250;
  let ticked = 0;
  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-at-once]");
    if (!form) return;
    clearTimeout(ticked);
    ticked = setTimeout(() => {
      ticked = 0;
      form.requestSubmit();
    }, NEXT_TICK_MS);
  });
  document.addEventListener("htmx:sendError", ({ detail }) => {
    if (detail.elt.matches("[data-at-once]")) detail.elt.reset(); // the boxes are those of the page again
  });
  let stays = null;
  const stayOpen = () => {
    const menu = stays && document.getElementById(stays.id);
    if (menu) {
      menu.open = true;
      menu.querySelector(".choice-list").scrollTop = stays.scrolled;
      document.getElementById(stays.focus)?.focus({ preventScroll: true });
    }
    stays = null;
  };

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const text = document.getElementById(copy.dataset.copy).textContent.trim();
      const said = copy.querySelector("[data-said]");
      const before = said.textContent;
      try {
        await navigator.clipboard.writeText(text);
        said.textContent = copy.dataset.done;
      } catch {
        // There is no clipboard without HTTPS: select the text, so that Ctrl+C copies it.
        getSelection().selectAllChildren(document.getElementById(copy.dataset.copy));
        said.textContent = copy.dataset.selected;
      }
      setTimeout(() => { said.textContent = before; }, 2500);
    }
    const show = event.target.closest("[data-show-password]");
    if (show) {
      const field = document.getElementById(show.dataset.showPassword);
      const hidden = field.type === "password";
      field.type = hidden ? "text" : "password";
      show.setAttribute("aria-pressed", String(hidden));
    }
  });

  /* --- the current entry of the navigation, and the current tab, are in view where these scroll --- */
  const showCurrent = () => {
    document.querySelector("#side [aria-current]")?.scrollIntoView({ block: "nearest" });
    const tab = document.querySelector(".tabs [aria-current]");
    if (!tab) return;
    const row = tab.parentElement, { left, width } = tab.getBoundingClientRect();
    row.scrollLeft += left - row.getBoundingClientRect().left - (row.clientWidth - width) / 2;
  };

  /* --- phones: some panels start closed, so that the next one is near --- */
  const closeOnPhone = (part) => {
    if (!matchMedia("(max-width: 760px)").matches) return;
    for (const panel of part.querySelectorAll("details[data-phone-closed]")) panel.open = false;
  };

  /* --- printing: every table open --- */
  addEventListener("beforeprint", () => {
    for (const table of document.querySelectorAll("details:is(.table-fold, .panel-fold):not([open])")) {
      table.open = true;
      table.dataset.openedToPrint = "1";
    }
  });
  addEventListener("afterprint", () => {
    for (const table of document.querySelectorAll("details[data-opened-to-print]")) {
      table.open = false;
      delete table.dataset.openedToPrint;
    }
  });

  /* --- #live refreshes itself while its period includes today --- */
  const busy = (live) =>
    document.hidden ||
    live.querySelector("details.menu[open]") !== null ||
    // The sentence above #live is refreshed with it.
    document.querySelector("main .explained:not(.is-closed):is(:hover, :focus-within)") !== null;
  let kept = null;

  /* After an error the next retry waits twice as long, and at least as long as the server asks for. */
  const LONGEST_REST_S = 240;
  let restS = 0;
  let nextTryAt = 0;
  const rest = (xhr) => {
    restS = Math.min(Math.max(20, restS * 2), LONGEST_REST_S);
    const askedS = Number(xhr?.getResponseHeader("Retry-After")) || 0;
    // Random, so that clients refused at the same time do not retry at the same time.
    nextTryAt = Date.now() + Math.max(restS, askedS) * (1 + Math.random() / 4) * 1000;
  };

  const words = (part) => part.textContent.replace(/\s+/g, " ").trim();
  const saysTheSame = (live, html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("live");
    return fresh !== null && fresh.matches("[data-waits]") && words(fresh) === words(live);
  };

  document.addEventListener("htmx:beforeRequest", (event) => {
    const isRefresh = event.detail.elt.id === "live";
    if (isRefresh && (busy(event.detail.elt) || Date.now() < nextTryAt)) event.preventDefault();
    else document.getElementById("main")?.setAttribute("aria-busy", "true");
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    document.getElementById("main")?.removeAttribute("aria-busy");
    if (event.detail.elt.id !== "live") return;
    if (event.detail.successful) restS = nextTryAt = 0;
    else rest(event.detail.xhr);
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { elt, target } = event.detail.requestConfig ? event.detail.requestConfig : event.detail;
    // A refresh of what was replaced meanwhile, or an answer that the next tick makes out of date.
    if ((elt?.id === "live" && !elt.isConnected) || (elt?.matches("[data-at-once]") && ticked)) {
      event.detail.shouldSwap = false;
      return;
    }
    // The answer is the sign-in page, because the session has ended (session-end.js goes there), or the second factor's.
    if (event.detail.xhr.responseURL.includes("/accounts/")) {
      event.detail.shouldSwap = false;
      if (event.detail.xhr.responseURL.includes("/accounts/login/")) {
        document.dispatchEvent(new Event("calltally:refused"));
      } else location.reload();
      return;
    }
    // #live and other parts of a page keep what they show.
    const isPart = elt?.matches("#live, [data-part]") ?? false;
    if (event.detail.xhr.status >= 400) event.detail.shouldSwap = !isPart;
    // The error page retries by itself, which works only if it is loaded as a whole page.
    if ([429, 503].includes(event.detail.xhr.status) && !isPart) {
      event.detail.shouldSwap = false;
      location.assign(event.detail.xhr.responseURL);
      return;
    }
    // A definition may have been opened during the request.
    if (elt?.id === "live" && busy(elt)) event.detail.shouldSwap = false;
    kept = null;
    const menu = elt?.matches("[data-at-once]") && elt.closest("details[open]");
    stays = menu && { id: menu.id, scrolled: menu.querySelector(".choice-list").scrollTop, focus: document.activeElement.id };
    if (elt?.matches("[data-waits]") && saysTheSame(elt, event.detail.xhr.responseText)) {
      event.detail.shouldSwap = false; // do not disturb a text selection
    }
    if (target?.id !== "live") return;
    kept = {
      open: [...target.querySelectorAll("details[id]")].map((details) => [details.id, details.open]),
      focus: target.contains(document.activeElement) ? pathTo(document.activeElement, target) : null,
      scrolled: [...target.querySelectorAll(".table-responsive")].map((table) => table.scrollLeft),
    };
  });

  /* The path to an element: the nearest id, and its index among the controls inside. */
  const controls = (part) => [...part.querySelectorAll("a[href], button, summary, input, select, [tabindex]")];
  const pathTo = (element, live) => {
    const home = element.closest("[id]:not(#live)") || live;
    return home === element ? [element.id, -1] : [home.id, controls(home).indexOf(element)];
  };

  /* A filter that was removed took its chip along: focus the next one, or the bar of filters. */
  const focusAfterRemoving = (link) => {
    if (!link?.closest("#set-filters") || document.activeElement !== document.body) return;
    document.querySelector("#set-filters a, #filters summary")?.focus({ preventScroll: true });
  };

  document.addEventListener("htmx:afterSwap", (event) => {
    start(document);
    stayOpen();
    if (!kept) {
      closeOnPhone(document);
      showCurrent();
      focusAfterRemoving(event.detail.requestConfig?.elt);
      return;
    }
    for (const [id, open] of kept.open) {
      const details = document.getElementById(id);
      if (details) details.open = open;
    }
    document.querySelectorAll("#live .table-responsive").forEach((table, i) => { table.scrollLeft = kept.scrolled[i] || 0; });
    if (kept.focus) {
      const [id, index] = kept.focus;
      const home = document.getElementById(id);
      const again = home && (index < 0 ? home : controls(home)[index]);
      again?.focus({ preventScroll: true });
    }
    kept = null;
  });

  start(document);
  closeOnPhone(document);
  showCurrent();
})();
