// What the pages cannot do without a script: the reader's own time zone, copying, the menu of a phone, news from the
// server, and forms that ask first. Without it every page and every form still works.
(() => {
  const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

  function relative(t) {
    const s = Math.round((t - Date.now()) / 1000);
    for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]])
      if (Math.abs(s) >= size) return ago.format(Math.round(s / size), unit);
    return ago.format(s, "second");
  }

  function dress(root) {
    for (const e of root.querySelectorAll("time[datetime]:not([data-done])")) {
      const t = new Date(e.dateTime);
      e.dataset.done = "";
      e.title = e.textContent;
      e.textContent = e.hasAttribute("data-ago") || Math.abs(t - Date.now()) < 6048e5 ? relative(t) : date.format(t);
      e.title = date.format(t) + " (" + e.title + ")";
    }
    for (const e of root.querySelectorAll("[data-copy]:not([data-done])")) {
      e.dataset.done = "";
      e.hidden = false;
    }
  }

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const from = document.querySelector(copy.dataset.copy);
      try {
        await navigator.clipboard.writeText(from.value ?? from.textContent);
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(from); // no permission: it is marked, and can be copied by hand
      }
    }
    const menu = event.target.closest("button.menu");
    if (menu) menu.setAttribute("aria-expanded", menu.getAttribute("aria-expanded") !== "true");
    const all = event.target.closest("input[data-all]");
    if (all) for (const box of document.querySelectorAll(`input[name="${all.dataset.all}"]`)) box.checked = all.checked;
  });

  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.ask ?? event.target.dataset.ask;
    if (question && !confirm(question)) event.preventDefault();
  }, true);

  // An element with data-fragment is for what stands behind the # of the address, which no server sees.
  for (const e of document.querySelectorAll("input[data-fragment]")) {
    e.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname + location.search);
    if (e.value && e.form.hasAttribute("data-submit")) e.form.requestSubmit();
  }

  // A page that shows a secret once is the answer to a form. Loaded again it is the page of the thing, and no second one.
  const lasting = document.querySelector("[data-address]");
  if (lasting) history.replaceState(null, "", lasting.dataset.address);

  // Events of the server become events of the body: hx-trigger="leads from:body" loads what has changed.
  const live = document.body.dataset.live;
  if (live) {
    const source = new EventSource(live);
    for (const name of ["leads", "endpoints", "submissions"])
      source.addEventListener(name, (e) => htmx.trigger(document.body, name, { detail: e.data }));
    addEventListener("pagehide", () => source.close());
  }

  document.addEventListener("htmx:afterSettle", (event) => dress(event.target.parentElement ?? document));
  dress(document);
})();
