// Colours follow the reader's system, and the layout the width of the window; then RapiDoc draws /openapi.json.
(() => {
  const page = document.getElementById('explorer');
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const narrow = matchMedia('(max-width: 50rem)');
  const set = (all) => Object.entries(all).forEach(([name, value]) => page.setAttribute(name, value));
  const paint = () => set(dark.matches
    ? { theme: 'dark', 'bg-color': '#10141b', 'text-color': '#dfe5ee', 'primary-color': '#58c9b3', 'nav-bg-color': '#151a23', 'nav-text-color': '#93a0b4', 'nav-hover-bg-color': '#16302c', 'nav-accent-color': '#58c9b3' }
    : { theme: 'light', 'bg-color': '#ffffff', 'text-color': '#1c2330', 'primary-color': '#0b6b5d', 'nav-bg-color': '#f6f7f9', 'nav-text-color': '#5a6577', 'nav-hover-bg-color': '#e8f4f1', 'nav-accent-color': '#0b6b5d' });
  const fit = () => set({ 'render-style': narrow.matches ? 'view' : 'focused', 'schema-style': narrow.matches ? 'tree' : 'table' });
  paint();
  fit();
  dark.addEventListener('change', paint);
  narrow.addEventListener('change', fit);
  set({ 'spec-url': '/openapi.json' });
})();
