/* Definitions: CSS opens them on hover and focus; this script keeps them in view and closes them with Esc. */
(() => {
  const margin = 8;

  const place = (explained) => {
    const tip = explained.querySelector(":scope > .tip");
    if (!tip || getComputedStyle(tip).display === "none") return;
    // Fixed position, so that a table that scrolls sideways cannot cut it off.
    tip.style.position = "fixed";
    tip.style.left = tip.style.top = "0";
    const word = explained.getBoundingClientRect();
    const { width, height } = tip.getBoundingClientRect();
    const left = Math.max(margin, Math.min(word.left, innerWidth - width - margin));
    const below = word.bottom;
    const top = below + height + margin > innerHeight && word.top > height + margin ? word.top - height : below;
    tip.style.left = `${left}px`;
    tip.style.top = `${top}px`;
  };

  const open = (event) => {
    const explained = event.target.closest?.(".explained");
    if (explained) place(explained);
  };

  const reopenable = (event) => {
    const explained = event.target.closest?.(".explained.is-closed");
    if (explained && !explained.contains(event.relatedTarget)) explained.classList.remove("is-closed");
  };

  const openOnes = () =>
    [...document.querySelectorAll(".explained:hover, .explained:focus-within")].filter(
      (explained) => !explained.classList.contains("is-closed"),
    );

  document.addEventListener("mouseover", open);
  document.addEventListener("focusin", open);
  document.addEventListener("mouseout", reopenable);
  document.addEventListener("focusout", reopenable);
  addEventListener("scroll", () => openOnes().forEach(place), { passive: true, capture: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") openOnes().forEach((explained) => explained.classList.add("is-closed"));
  });
})();
