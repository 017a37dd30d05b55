// What the pages cannot do without a script: the reader's own time zone, copying, the menu of a phone, news from the
// server, and forms that ask first. Without it every page and every form still works.
(() => {
  const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

  // The clock of this computer may be wrong; what is a minute ago is so by the server's.
  const told = Date.parse(document.body.dataset.now), loaded = performance.getEntriesByType("navigation")[0]?.responseStart;
  const skew = told - (Date.now() - performance.now() + loaded);
  const now = () => Date.now() + (Math.abs(skew) > 2000 ? skew : 0);

  function relative(t) {
    const s = Math.round((t - now()) / 1000);
    for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]])
      if (Math.abs(s) >= size) return ago.format(Math.round(s / size), unit);
    return ago.format(s, "second");
  }

  function dress(root) {
    for (const e of root.querySelectorAll("time[datetime]:not([data-done])")) {
      const t = new Date(e.dateTime);
      e.dataset.done = "";
      e.title = e.textContent;
      e.textContent = e.hasAttribute("data-ago") || Math.abs(t - now()) < 6048e5 ? relative(t) : date.format(t);
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
    if (question && !confirm(question)) return event.preventDefault();
    // Of a button that is clicked twice the second click does nothing.
    if (event.target.method !== "post") return;
    if ("sent" in event.target.dataset) event.preventDefault();
    event.target.dataset.sent = "";
    setTimeout(() => delete event.target.dataset.sent, 5000);
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
  const live = document.body.dataset.live, news = ["leads", "endpoints", "submissions"];
  if (live) {
    const source = new EventSource(live);
    for (const name of news)
      source.addEventListener(name, (e) => htmx.trigger(document.body, name, { detail: e.data }));
    addEventListener("pagehide", () => source.close());
  }

  // News must not take away what somebody has ticked, opened, begun to type or holds with the keyboard in the part that
  // it would replace: they wait until that is over. Where the focus is on something with an id, htmx puts it back there.
  const missed = new Set();
  const busy = (part) => part.querySelector("details[open], :focus:not([id]), input:not([type=checkbox]):focus, " +
    "select:focus, textarea:focus") || [...part.querySelectorAll("input, textarea")].some((field) =>
    field.type === "checkbox" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue);
  document.addEventListener("htmx:beforeRequest", (event) => {
    const cause = event.detail.requestConfig.triggeringEvent?.type; // undefined: it is asked for again and again
    if (cause !== undefined && !news.includes(cause) || !busy(event.detail.target)) return;
    event.preventDefault();
    if (cause) missed.add(cause);
  });
  for (const over of ["change", "toggle", "focusout"])
    document.addEventListener(over, () => setTimeout(() => {
      const now = [...missed];
      missed.clear();
      for (const name of now) htmx.trigger(document.body, name);
    }), true);

  // What was scrolled within the part stays where it was.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const was = [...event.detail.target.querySelectorAll("[id][tabindex]")].map((e) => [e.id, e.scrollLeft, e.scrollTop]);
    document.addEventListener("htmx:afterSwap", () => {
      for (const [id, left, top] of was) document.getElementById(id)?.scrollTo(left, top);
    }, { once: true });
  });

  // Views are links to lists as they were filtered, with names, kept in this browser.
  for (const box of document.querySelectorAll("[data-views]")) {
    const path = box.dataset.views;
    const key = "views:" + path;
    const read = () => { try { return JSON.parse(localStorage.getItem(key)) ?? []; } catch { return []; } };
    const write = (views) => { try { localStorage.setItem(key, JSON.stringify(views)); } catch { /* it is not kept */ } show(views); };
    const show = (views) => box.querySelector("ul").replaceChildren(...views.map((view) => {
      const item = document.createElement("li"), link = document.createElement("a"), drop = document.createElement("button");
      link.href = path + "?" + view.query;
      link.textContent = view.name;
      drop.type = "button";
      drop.className = "text";
      drop.textContent = "×";
      drop.setAttribute("aria-label", "Forget the view " + view.name);
      drop.addEventListener("click", () => write(read().filter((other) => other.name !== view.name)));
      item.append(link, " ", drop);
      return item;
    }));
    box.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      const query = new URLSearchParams(location.search), field = event.target.querySelector("input");
      query.delete("cursor");
      write([...read().filter((view) => view.name !== field.value), { name: field.value, query: query.toString() }].slice(-30));
      field.value = "";
    });
    show(read());
    box.hidden = false;
  }

  document.addEventListener("htmx:afterSettle", (event) => dress(event.target.parentElement ?? document));
  dress(document);
})();
