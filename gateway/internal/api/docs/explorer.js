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

  // What need not be sent is not filled in with an example, because it would be sent: a filter by somebody else's id, or
  // an If-Match that matches nothing.
  const found = (document, what) => what.$ref ? what.$ref.slice(2).split('/').reduce((at, name) => at[name], document) : what;
  const unfilled = (document, parameter) => {
    const is = found(document, parameter);
    return is.required ? parameter : { 'x-fill-example': 'no', ...is };
  };
  // RapiDoc takes an example that has a null for several examples, and breaks off.
  const named = (holder) => {
    if (holder === null || typeof holder !== 'object') return;
    for (const media of Object.values(holder.content ?? {})) {
      if (media.example === undefined) continue;
      media.examples = { Example: { value: media.example } };
      delete media.example;
    }
    Object.values(holder).forEach(named);
  };
  const load = async () => {
    const document = await (await fetch('/openapi.json')).json();
    document.servers = [{ url: location.origin }]; // TRY asks no other
    for (const path of Object.values(document.paths)) {
      for (const operation of Object.values(path)) {
        if (operation.parameters) operation.parameters = operation.parameters.map((one) => unfilled(document, one));
      }
    }
    named(document.paths);
    named(document.components.responses);
    await customElements.whenDefined('rapi-doc');
    page.loadSpec(document);
  };

  // The id in a path is that of an example, until the first try puts the newest of one's own there.
  const lists = { lead: 'leads?limit=1', cb: 'chatbots?limit=1', we: 'webhooks?limit=1', evt: 'events?limit=1', dlv: 'deliveries?limit=1', rp: 'replays?limit=1', imp: 'imports?limit=1', key: 'keys?limit=200', ses: 'console-sessions?limit=1', sub: 'submissions?limit=1', aud: 'audit?limit=200', 'pk-workspace': 'keys?limit=200' };
  const ofForm = (key) => key.kind === 'publishable' && !key.revokedAt;
  const own = async (prefix, path) => {
    const key = page.resolvedSpec?.securitySchemes?.find((scheme) => scheme.finalKeyValue)?.finalKeyValue;
    if (!key) return undefined;
    const answer = await fetch(`/api/v1/${path.endsWith('/restore') ? 'leads?deleted=true&limit=1' : lists[prefix]}`, { headers: { Authorization: key } });
    if (!answer.ok) return undefined;
    const all = (await answer.json()).data;
    if (prefix === 'pk-workspace') return all.find(ofForm)?.key;
    if (prefix === 'aud') return all.find((entry) => entry.action === 'lead.erased')?.id;
    return (prefix === 'key' && /(preview|thanks|refused-origins)$/.test(path) ? all.find(ofForm) : all[0])?.id;
  };
  // What RapiDoc draws gets names for screen readers, and what scrolls can be reached by keyboard.
  const watched = new Set();
  const name = () => {
    const roots = [page.shadowRoot, ...page.shadowRoot.querySelectorAll('*')].map((one) => one.shadowRoot ?? one).filter((one) => one instanceof ShadowRoot);
    for (const root of roots) {
      if (!watched.has(root)) {
        watched.add(root);
        new MutationObserver(name).observe(root, { childList: true, subtree: true });
      }
      root.querySelectorAll('[data-pname]:not([aria-label])').forEach((field) => field.setAttribute('aria-label', field.dataset.pname));
      root.querySelectorAll('nav:not([aria-label])').forEach((nav) => nav.setAttribute('aria-label', nav.closest('[aria-label]') ? 'All operations' : 'Operations'));
      root.querySelectorAll('pre:not([tabindex])').forEach((pre) => pre.setAttribute('tabindex', '0'));
    }
  };
  customElements.whenDefined('rapi-doc').then(name);

  let passing = false;
  page.addEventListener('click', async (event) => {
    const path = event.composedPath();
    const button = path.find((one) => one.getAttribute?.('part')?.includes('btn-try'));
    const request = path.find((one) => one.localName === 'api-request');
    const field = button && request?.shadowRoot.querySelector("[data-ptype='path']");
    const prefix = field?.value.split('_')[0];
    if (passing || !field || field.value !== field.dataset.example || !lists[prefix]) return;
    event.stopImmediatePropagation();
    const id = await own(prefix, request.path).catch(() => undefined);
    if (id) field.value = id;
    // What changes or deletes something is sent when the person has seen what that is.
    if (!id || request.method === 'get' || prefix === 'cb' && request.method === 'post') {
      passing = true;
      button.click();
      passing = false;
      return;
    }
    field.setCustomValidity('This is the newest of yours. Press TRY again to send the request.');
    field.reportValidity();
    field.setCustomValidity('');
  }, true);
  load();
})();
