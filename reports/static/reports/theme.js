/* Light, dark or the system setting. Runs in <head>, before anything is drawn, so that nothing flashes. */
(() => {
  const root = document.documentElement;
  const darkMachine = matchMedia("(prefers-color-scheme: dark)");
  const choices = ["auto", "light", "dark"];
  let printing = false;

  const chosen = () => {
    try {
      const kept = localStorage.getItem("calltally-theme");
      return choices.includes(kept) ? kept : "auto";
    } catch {
      return "auto"; // storage may be forbidden
    }
  };

  const apply = () => {
    const choice = chosen();
    const dark = choice === "dark" || (choice === "auto" && darkMachine.matches);
    root.dataset.bsTheme = dark && !printing ? "dark" : "light";
    root.dataset.themeChoice = choice;
    document.dispatchEvent(new Event("calltally:theme"));
  };

  apply();
  darkMachine.addEventListener("change", apply);
  addEventListener("storage", apply);
  addEventListener("beforeprint", () => { printing = true; apply(); });
  addEventListener("afterprint", () => { printing = false; apply(); });

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const next = choices[(choices.indexOf(chosen()) + 1) % choices.length];
    try {
      localStorage.setItem("calltally-theme", next);
    } catch {
      return;
    }
    apply();
  });
})();
