package testbrowser

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// problems are those of a page since they were last asked for.
type problems struct {
	mu      sync.Mutex
	origins []string
	found   []string
}

func (l *problems) add(parts ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found = append(l.found, strings.Join(parts, " "))
}

func (l *problems) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.found
	l.found = nil
	return found
}

func (l *problems) allow(addresses ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range addresses {
		l.origins = append(l.origins, origin(a))
	}
}

func (l *problems) allowed(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.origins, origin(address))
}

// origin is scheme and host with port; of an address without a host, such as data:, it is "".
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// Problems returns what was wrong since it was last asked: errors in the console, what scripts threw and nobody caught,
// violations of the Content-Security-Policy, what could not be loaded, dialogs (which are accepted), and requests to
// origins that were neither opened nor allowed. Requests of workers are not seen.
func (p *Page) Problems() []string {
	p.t.Helper()
	p.Eval("0", nil) // events that the page sent before have been heard when this has its answer
	return p.log.take()
}

// Allow lets the page send requests to the origins of addresses; those that were opened are allowed.
func (p *Page) Allow(addresses ...string) { p.log.allow(addresses...) }

// watch collects problems.
func (p *Page) watch() {
	p.t.Helper()
	p.log.allow("") // data: and blob:
	err := chromedp.Listen(p.ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
				p.log.add(append([]string{"console:"}, texts(e.Args)...)...)
			}
		case *runtime.EventExceptionThrown:
			p.log.add(append([]string{"exception:", e.ExceptionDetails.Text},
				texts([]*runtime.RemoteObject{e.ExceptionDetails.Exception})...)...)
		case *log.EventEntryAdded:
			// A page without an icon is asked for one all the same.
			if e.Entry.Level == log.EntryLevelError && !strings.HasSuffix(e.Entry.URL, "/favicon.ico") {
				p.log.add(string(e.Entry.Source)+":", e.Entry.Text, e.Entry.URL)
			}
		case *network.EventRequestWillBeSent:
			if !p.log.allowed(e.Request.URL) {
				p.log.add("request to another origin:", e.Request.Method, e.Request.URL)
			}
		case *page.EventJavascriptDialogOpening:
			p.log.add("dialog:", e.Message)
			go p.acceptDialog()
		}
	})
	if err != nil {
		p.t.Fatalf("opening a page: %v", err)
	}
}

// acceptDialog ends a dialog, which would hold everything up; an error says that the page is gone.
func (p *Page) acceptDialog() {
	_ = chromedp.Do(p.ctx, func(ctx context.Context, target *chromedp.Target) (v chromedp.Void, err error) {
		_, err = cdp.Call(ctx, target, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		return v, err
	})
}

func texts(values []*runtime.RemoteObject) []string {
	var all []string
	for _, v := range values {
		switch {
		case v == nil:
		case v.Description != "":
			all = append(all, v.Description)
		default:
			all = append(all, strings.Trim(string(v.Value), `"`))
		}
	}
	return all
}
