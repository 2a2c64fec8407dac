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

  const start = () => document.getElementById("export-step")?.closest("[hidden]")?.removeAttribute("hidden");
  document.addEventListener("htmx:afterSwap", start);
  start();
})();
