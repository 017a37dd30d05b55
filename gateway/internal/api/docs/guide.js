// The guide is whole without this script. With it each sample has a button that copies it, and the contents have a field
// that leaves those sections in which all words are.
(() => {
  for (const code of document.querySelectorAll('pre > code')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = 'Copied';
      } catch { // without TLS a browser lets no page copy, so the person does
        getSelection().selectAllChildren(code);
        button.textContent = 'Selected';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, 2000);
    });
    code.parentElement.append(button);
  }
  const links = [...document.querySelectorAll('nav a[href^="#"]')];
  const ids = new Set(links.map((link) => link.hash.slice(1)));
  const texts = {};
  let section = '';
  for (const one of document.querySelector('main').children) {
    if (ids.has(one.id)) section = one.id;
    texts[section] = (texts[section] ?? '') + ' ' + one.textContent.toLowerCase();
  }
  const field = document.createElement('input');
  field.type = 'search';
  field.placeholder = 'Search';
  field.setAttribute('aria-label', 'Search the guide');
  const shown = () => links.filter((link) => !link.hidden);
  field.addEventListener('input', () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const link of links) link.hidden = !words.every((word) => texts[link.hash.slice(1)]?.includes(word));
  });
  field.addEventListener('keydown', (event) => { if (event.key === 'Enter') shown()[0]?.click(); });
  document.querySelector('nav small').after(field);
})();
