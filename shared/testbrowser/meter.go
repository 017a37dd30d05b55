package testbrowser

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// ErrMissing says that there is no browser on this machine.
var ErrMissing = errors.New("neither chromium nor google-chrome is installed")

// Meter measures how pages load, outside of tests too. One goroutine may use it.
type Meter struct {
	ctx  context.Context
	stop func()
}

// Load is one load of a page with nothing in the browser's cache.
type Load struct {
	FirstPaint time.Duration // from the start of the navigation to the first contentful paint
	Bytes      int           // of the page and of all that it loads, with headers, as they are sent
}

// NewMeter starts a browser without a cache, which sends cookies to the site of address. It returns ErrMissing where
// there is neither Chromium nor Chrome.
func NewMeter(address string, cookies []*http.Cookie) (*Meter, error) {
	binary, err := find()
	if err != nil {
		return nil, err
	}
	browser, stop, err := start(binary)
	if err != nil {
		return nil, err
	}
	ctx, cancel := chromedp.NewContext(browser)
	m := &Meter{ctx, func() { cancel(); stop() }}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 800), prepare(address, cookies)); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Close ends the browser.
func (m *Meter) Close() { m.stop() }

func prepare(address string, cookies []*http.Cookie) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (v chromedp.Void, err error) {
		_, err = cdp.Call(ctx, target, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
		for _, k := range cookies {
			if err == nil {
				_, err = cdp.Call(ctx, target, network.SetCookie,
					network.SetCookieParams{Name: k.Name, Value: k.Value, URL: address})
			}
		}
		return v, err
	}
}

// loaded waits for the first paint, which may come after everything is loaded, and tells of the load.
const loaded = `new Promise(done => new PerformanceObserver((list, observer) => {
	for (const paint of list.getEntriesByName('first-contentful-paint')) {
		observer.disconnect()
		const sent = ['navigation', 'resource'].flatMap(type => performance.getEntriesByType(type))
		done([paint.startTime, sent.reduce((sum, one) => sum + one.transferSize, 0)])
	}
}).observe({ type: 'paint', buffered: true }))`

// Load opens address and waits until it is loaded and painted, for half a minute at most. It is an error where that
// leads to another address, such as that of a sign-in page.
func (m *Meter) Load(address string) (Load, error) {
	ctx, cancel := context.WithTimeout(m.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		return Load{}, err
	}
	there, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href"))
	if err == nil && there != address {
		err = errors.New("it led to " + there)
	}
	if err != nil {
		return Load{}, err
	}
	got, err := chromedp.Run(ctx, chromedp.Evaluate[[2]float64](loaded, chromedp.EvalAwaitPromise))
	return Load{time.Duration(got[0] * float64(time.Millisecond)), int(got[1])}, err
}

// find returns where the browser is.
func find() (string, error) {
	for _, name := range []string{"chromium", "google-chrome"} {
		if binary, err := exec.LookPath(name); err == nil {
			return binary, nil
		}
	}
	return "", ErrMissing
}
