// Package testbrowser opens pages in headless Chromium, in tests that need a browser: Page does what a person does.
package testbrowser

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long one thing may take; only a failure waits it out.
const patience = 2 * time.Minute

// New opens a blank page, wide and light, with cookies and storage of its own. It is closed when the test ends. The test
// is skipped where there is neither Chromium nor Chrome. Every host name leads to this machine: a page can have any
// origin, such as http://shop.example.com with the port of a test server, and nothing reaches the network.
func New(t testing.TB) *Page {
	t.Helper()
	browser := mustBrowser(t)
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &Page{t: t, ctx: ctx}
	p.watch()
	p.do("preparing a page", asPerson)
	p.Wide()
	return p
}

// asPerson has a page believe that a person looks at it, though several are open at once, and servers that its browser
// has a window.
func asPerson(ctx context.Context, target *chromedp.Target) (v chromedp.Void, err error) {
	_, err = cdp.Call(ctx, target, emulation.SetFocusEmulationEnabled,
		emulation.SetFocusEmulationEnabledParams{Enabled: true})
	if err != nil {
		return v, err
	}
	agent, err := chromedp.Evaluate[string]("navigator.userAgent.replace('Headless', '')")(ctx, target)
	if err != nil {
		return v, err
	}
	_, err = cdp.Call(ctx, target, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent})
	return v, err
}

// shared is the browser of all pages of the process that are open at the moment.
var shared struct {
	sync.Mutex
	pages int
	ctx   context.Context
	stop  func()
}

// mustBrowser returns the context of the browser, which ends with the last test that has a page.
func mustBrowser(t testing.TB) context.Context {
	t.Helper()
	binary, err := find()
	if err != nil {
		t.Skip(err)
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.pages == 0 {
		if shared.ctx, shared.stop, err = start(binary); err != nil {
			t.Fatalf("starting %s: %v", binary, err)
		}
	}
	shared.pages++
	t.Cleanup(func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.pages--; shared.pages == 0 {
			shared.stop()
		}
	})
	return shared.ctx
}

// start starts a browser that speaks through a pipe, so that it ends with this process, however that ends.
func start(binary string) (context.Context, func(), error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(binary), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * 127.0.0.1"))
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	quiet := func(string, ...any) {} // events of a browser newer than the library
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(quiet))
	stop := func() {
		bounded, done := context.WithTimeout(ctx, patience)
		defer done()
		_ = chromedp.Cancel(bounded) // release kills what did not end by itself
		cancel()
		release()
	}
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, nil, err
	}
	return ctx, stop, nil
}
