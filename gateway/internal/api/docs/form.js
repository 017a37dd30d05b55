// For pages with forms that go to this gateway: <script src="https://your-domain.com/form.js" defer></script>
//
// It gives each such form a token that says when the page was shown, how long that was before, and the page's address;
// and where the form's key asks for a proof of work, it does that when the visitor begins to fill the form in. Nothing
// is stored in the browser, and nothing is loaded from anywhere else. A form that is sent by a script of the page gets
// the same fields from: await leadgate.fields('https://your-domain.com/f/pk-workspace_...')
//
// It speaks the language of the form's place in the page (lang), else the browser's, of those that it knows. What it says
// can be set in the script element: data-checking and data-checked, where "" says nothing, and data-failed.
(() => {
  'use strict'
  const script = document.currentScript
  const base = new URL('f/', script.src).href
  const languages = {} // the gateway puts its texts here
  const { checking, checked, failed } = script.dataset

  // textsFor gives what is said at a place in the page.
  function textsFor(element) {
    const known = [element?.closest('[lang]')?.lang, ...navigator.languages ?? []].map(tag => tag?.split('-')[0].toLowerCase())
    const texts = languages[known.find(tag => Object.hasOwn(languages, tag))] ?? languages.en
    return { checking: checking ?? texts.checking, checked: checked ?? texts.checked, failed: failed || texts.failed }
  }
  const shown = performance.now()
  const patience = 5000 // ms for which a form waits for its token; it goes without

  // ---- SHA-256 (FIPS 180-4) of short texts, for which crypto.subtle is slower; without TLS there is none.

  const primes = []
  for (let n = 2; primes.length < 64; n++) if (primes.every(p => n % p)) primes.push(n)
  const fraction = x => ((x - Math.floor(x)) * 2 ** 32) | 0
  const K = Int32Array.from(primes, p => fraction(Math.cbrt(p)))
  const H = Int32Array.from(primes.slice(0, 8), p => fraction(Math.sqrt(p)))
  const W = new Int32Array(64)

  // block hashes the one block in W[0..15] to out.
  function block(out) {
    for (let i = 16; i < 64; i++) {
      const x = W[i - 15], y = W[i - 2]
      W[i] = W[i - 16] + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3) + W[i - 7] +
        ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10)
    }
    let [a, b, c, d, e, f, g, h] = H
    for (let i = 0; i < 64; i++) {
      const t = h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (e & f ^ ~e & g) +
        K[i] + W[i] | 0
      const u = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c) | 0
      h = g; g = f; f = e; e = d + t | 0; d = c; c = b; b = a; a = t + u | 0
    }
    out[0] = H[0] + a; out[1] = H[1] + b; out[2] = H[2] + c; out[3] = H[3] + d
    out[4] = H[4] + e; out[5] = H[5] + f; out[6] = H[6] + g; out[7] = H[7] + h
  }

  // pause lets the page go on; a timer would wait longer.
  const pause = () => new Promise(resolve => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => { port1.close(); resolve() }
    port2.postMessage(0)
  })

  // solve finds the number which after the salt hashes to the challenge.
  async function solve({ challenge, maxnumber, salt }) {
    if (salt.length > 47) throw new Error('the salt is too long')
    const want = Int32Array.from({ length: 8 }, (_, i) => parseInt(challenge.slice(8 * i, 8 * i + 8), 16))
    const out = new Int32Array(8), bytes = new Uint8Array(64), view = new DataView(bytes.buffer)
    for (let i = 0; i < salt.length; i++) bytes[i] = salt.charCodeAt(i)
    for (let n = 0; n <= maxnumber; n++) {
      const digits = String(n)
      let end = salt.length
      for (let i = 0; i < digits.length; i++) bytes[end++] = digits.charCodeAt(i)
      bytes[end] = 0x80
      view.setUint32(60, end * 8)
      for (let i = 0; i < 16; i++) W[i] = view.getInt32(4 * i)
      block(out)
      if (out[0] === want[0] && out.every((word, i) => word === want[i])) return n
      if (n % 4096 === 4095) await pause()
    }
    throw new Error('there is no solution')
  }

  // ---- What a form is given, by its address.

  async function get(url) {
    const answer = await fetch(url, { cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout?.(10e3) })
    if (!answer.ok) throw Object.assign(new Error(url + ' answered ' + answer.status), { status: answer.status })
    return answer.json()
  }

  // By what was asked for: { promise, value, until }. The clock is the one that goes on while the computer sleeps.
  const kept = new Map()

  // once asks for something, or gives what was asked for before while that is good. What failed is asked for again.
  function once(url, life, ask) {
    const old = kept.get(url)
    if (old && Date.now() < old.until) return old.promise
    const entry = { promise: ask(), until: Date.now() + life }
    kept.set(url, entry)
    entry.promise.then(value => { entry.value = value }, () => { if (kept.get(url) === entry) kept.delete(url) })
    return entry.promise
  }

  const token = url => once(url + '/token', 57 * 60e3, async () => (await get(url + '/token')).data) // of an hour

  const work = url => once(url + '/challenge', 9 * 60e3, async () => { // of ten minutes
    const { algorithm, challenge, maxnumber, salt, signature } = await get(url + '/challenge')
    const number = await solve({ challenge, maxnumber, salt })
    return btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }))
  })

  // proof is what proves something. The form goes without a token that cannot be had, and without a proof of work while
  // the gateway says that it cannot check any; it decides what becomes of that.
  async function proof(url, begun = () => {}) {
    const late = new Promise(resolve => setTimeout(resolve, patience, {}))
    const { token: _token, challenge } = await Promise.race([token(url).catch(() => ({})), late])
    if (!challenge) return _token ? { _token } : {}
    begun()
    try {
      return { _token, altcha: await work(url) }
    } catch (e) {
      if (e.status !== 503) throw e
      return { _token }
    }
  }

  // atHand is what proof would give, where it need not be waited for; else null.
  function atHand(url) {
    const value = what => {
      const entry = kept.get(url + what)
      return entry && Date.now() < entry.until ? entry.value : undefined
    }
    const asked = value('/token')
    if (!asked) return null
    if (!asked.challenge) return { _token: asked.token }
    return value('/challenge') ? { _token: asked.token, altcha: value('/challenge') } : null
  }

  // take gives all fields of one submission, for which a solution is good.
  function take(url, fields) {
    kept.delete(url + '/challenge')
    return { ...fields, _elapsed: String(Math.round(performance.now() - shown)), _page: location.href }
  }

  // ---- Forms of the page.

  function addressOf(form) {
    if (!(form instanceof HTMLFormElement)) return ''
    const at = new URL(form.getAttribute('action') ?? '', document.baseURI)
    at.search = at.hash = ''
    return at.href.startsWith(base) ? at.href : ''
  }

  function fill(form, fields) {
    for (const [name, value] of Object.entries(fields)) {
      let input = form.querySelector(`input[name="${name}"]`)
      if (!input) {
        input = Object.assign(document.createElement('input'), { type: 'hidden', name })
        form.append(input)
      }
      input.value = value
    }
  }

  const statusOf = form => form.querySelector('[data-leadgate-status]')

  function tell(form, text) {
    let status = statusOf(form)
    if (!status && text) {
      status = document.createElement('p')
      status.dataset.leadgateStatus = ''
      status.setAttribute('role', 'status')
      form.append(status)
    }
    if (status && status.textContent !== text) status.textContent = text
  }

  // prepare gets what proves something; null: it cannot be had, which matters to the visitor only when the form is sent.
  async function prepare(form, url, sending) {
    const texts = textsFor(form)
    try {
      let worked = false
      const fields = await proof(url, () => { worked = true; if (!atHand(url)) tell(form, texts.checking) })
      if (worked) tell(form, texts.checked)
      return fields
    } catch (e) {
      console.warn('leadgate:', e)
      if (sending) tell(form, texts.failed)
      else if (statusOf(form)?.textContent === texts.checking) tell(form, '')
      return null
    }
  }

  document.addEventListener('focusin', ({ target }) => {
    const form = target.form ?? target.closest?.('form'), url = addressOf(form)
    if (url) prepare(form, url, false)
  })

  const waiting = new Map() // forms that wait for what proves something: null, or once they have it, their fields

  document.addEventListener('submit', event => {
    const form = event.target, url = addressOf(form)
    if (!url) return
    const fields = waiting.get(form) ?? atHand(url)
    if (fields) {
      waiting.delete(form)
      fill(form, take(url, fields))
      return
    }
    event.preventDefault()
    event.stopImmediatePropagation()
    if (!waiting.has(form)) send(form, url, event.submitter)
  }, true)

  // send sends a form once it has what proves something.
  async function send(form, url, submitter) {
    waiting.set(form, null)
    const fields = await prepare(form, url, true)
    await pause() // while the event that asked for it goes on, a browser would not send the form
    if (fields) {
      waiting.set(form, fields)
      const { requestSubmit, submit } = HTMLFormElement.prototype // a field may be called so
      if (requestSubmit) requestSubmit.call(form, submitter)
      else {
        fill(form, take(url, fields))
        submit.call(form)
      }
    }
    waiting.delete(form) // also where the browser asked for something to be filled in
  }

  const begin = () => {
    for (const form of document.forms) if (addressOf(form)) token(addressOf(form)).catch(() => {})
  }
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin)
  else begin()
  document.addEventListener('visibilitychange', begin) // who comes back after an hour needs other tokens

  window.leadgate = {
    fields: async address => {
      const url = new URL(address, document.baseURI).href
      try {
        return take(url, await proof(url))
      } catch (e) {
        throw new Error(textsFor(document.documentElement).failed, { cause: e })
      }
    },
  }
})()
