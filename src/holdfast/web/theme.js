// Runs before the first paint, so that a page in the dark never flashes white.
(() => {
  const chosen = localStorage.getItem("holdfast.theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
