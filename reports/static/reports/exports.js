/* The menu Export: a time step for the files that have one. Without this script they have that of the page. */
(() => {
  const setStep = (select) => {
    for (const link of select.closest(".menu-panel").querySelectorAll("tr[data-steps] a")) {
      const address = new URL(link.href);
      address.searchParams.set("by", select.value);
      link.href = address.pathname + address.search;
    }
  };
  document.addEventListener("change", (event) => {
    if (event.target.id === "export-step") setStep(event.target);
  });

  const start = () => {
    const select = document.getElementById("export-step");
    if (!select) return;
    select.closest(".export-step").hidden = false;
    setStep(select); // a browser may have kept another choice than the links have
  };
  document.addEventListener("htmx:afterSwap", start);
  start();
})();
