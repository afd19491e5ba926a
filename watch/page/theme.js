// Chooses light or dark before the first paint, so that nothing flashes.
// Law: a choice of the reader's wins over the system's; both live in this browser only.
(() => {
  const stored = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = stored();
    const theme = chosen === "light" || chosen === "dark" ? chosen : system.matches ? "dark" : "light";
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("themechange"));
  };
  system.addEventListener("change", apply);
  document.addEventListener("choosetheme", (event) => {
    try {
      localStorage.setItem("theme", event.detail);
    } catch {
      // A browser that keeps nothing shows the choice until the page is left.
      document.documentElement.dataset.theme = event.detail;
      document.dispatchEvent(new Event("themechange"));
      return;
    }
    apply();
  });
  apply();
})();
