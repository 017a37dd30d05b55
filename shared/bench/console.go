package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

// console reads each kind of page of a workspace with very many leads, and of the administrator of it and many others,
// and makes leads in it while nobody and while ten people have a page open.
func (b *bench) console(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.makeCrowd(ctx); err != nil {
		return err
	}
	large, err := s.fillWorkspace(ctx, "console")
	if err != nil {
		return err
	}
	a, err := b.signIn(ctx, b.AdminURL, "/admin", "/login", url.Values{"token": {b.AdminToken}})
	if err != nil {
		return err
	}
	if err := a.measureAll(ctx, []string{"/admin/", "/admin/workspaces?q=tenant+77"}, adminPages()); err != nil {
		return err
	}
	v, err := b.signIn(ctx, b.URL, "/console", "/sign-in", url.Values{"key": {large.Key}})
	if err != nil {
		return err
	}
	searches := []string{"/console", "/console/leads?q=firm", "/console/leads?q=name77", "/console/leads?status=lost"}
	if err := v.measureAll(ctx, searches, mainPages()); err != nil {
		return err
	}
	return v.measureIngest(ctx, large)
}

// makeCrowd makes many small workspaces. A tenth of them has an endpoint that nothing listens at.
func (s *fixture) makeCrowd(ctx context.Context) error {
	all, err := s.makeTenants(ctx, s.bench.tenants)
	if err != nil {
		return err
	}
	s.step("making leads in %d workspaces", len(all))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i, t := range all {
		g.Go(func() error {
			if i%10 == 0 {
				dead := webhook.Endpoint{URL: "http://127.0.0.1:1/hook"}
				if _, err := loadgen.NewEndpoint(ctx, s.db, t.Workspace, dead); err != nil {
					return err
				}
			}
			return loadgen.Fill{Workspace: t.Workspace, Run: "few", Leads: 20}.Into(ctx, s.db)
		})
	}
	return g.Wait()
}

// measureAll reads the pages that links lead to, from the first ones on, and loads those that people have open in a
// browser.
func (v *visitor) measureAll(ctx context.Context, first, main []string) error {
	pages, err := v.crawl(ctx, first)
	if err != nil {
		return err
	}
	for _, page := range pages {
		if err := v.measure(ctx, page); err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
	}
	return v.measurePaint(ctx, main)
}

// measureIngest makes leads with and without open pages, in turn.
func (v *visitor) measureIngest(ctx context.Context, t loadgen.Tenant) error {
	var alone, beside []float64
	for range v.bench.rounds {
		n, err := v.bench.createRate(ctx, t, "nobody looks")
		if err != nil {
			return err
		}
		alone = append(alone, n)
		open, stop := context.WithCancel(ctx)
		for range 10 {
			if err := v.watch(open); err != nil {
				stop()
				return err
			}
		}
		n, err = v.bench.createRate(ctx, t, "ten look")
		stop()
		if err != nil {
			return err
		}
		beside = append(beside, n)
	}
	slices.Sort(alone)
	slices.Sort(beside)
	without, with := alone[len(alone)/2], beside[len(beside)/2]
	v.bench.figure("", "times_nobody_looks", with/without, "ratio")
	v.bench.printf("created while nobody looks %.0f/s, while ten pages are open %.0f/s: %.2f of it", without, with, with/without)
	return nil
}

// visitor is signed in to the pages below a path.
type visitor struct {
	bench     *bench
	url, root string
	http      http.Client
}

func (b *bench) signIn(ctx context.Context, address, root, path string, form url.Values) (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &visitor{bench: b, url: address, root: root, http: http.Client{Jar: jar}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address+root+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := v.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("sign in: %s", res.Status)
	}
	return v, nil
}

// page reads one page, and how many bytes it has on the way.
func (v *visitor) page(ctx context.Context, path string) (text string, size int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+path, http.NoBody)
	if err != nil {
		return "", 0, err
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Encoding", "gzip")
	res, err := v.http.Do(r)
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, raw)
	}
	if err != nil || res.Header.Get("Content-Encoding") != "gzip" {
		return string(raw), len(raw), err
	}
	z, err := gzip.NewReader(strings.NewReader(string(raw)))
	if err != nil {
		return "", 0, err
	}
	plain, err := io.ReadAll(z)
	return string(plain), len(raw), err
}

var (
	links = regexp.MustCompile(`href="(/(?:admin|console)/?[^"#]*)"`)
	anID  = regexp.MustCompile(`[a-z]+_[0-9a-z]{26}|cursor=[^&]*`)
)

// elsewhere are links to what is no page, or no page of ours.
var elsewhere = regexp.MustCompile(`/assets/|export|^/admin/queues`)

// crawl finds one page of each kind: those that links lead to, and their links.
func (v *visitor) crawl(ctx context.Context, next []string) (pages []string, err error) {
	seen := map[string]bool{}
	for depth := 0; depth < 3 && len(next) > 0; depth++ {
		now := next
		next = nil
		for _, page := range now {
			kind := anID.ReplaceAllString(page, "ID")
			if seen[kind] || !strings.HasPrefix(page, v.root) || elsewhere.MatchString(page) || len(seen) > 60 {
				continue
			}
			seen[kind] = true
			text, _, err := v.page(ctx, page)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", page, err)
			}
			pages = append(pages, page)
			for _, m := range links.FindAllStringSubmatch(text, -1) {
				next = append(next, strings.ReplaceAll(m[1], "&amp;", "&"))
			}
		}
	}
	return pages, nil
}

// measure reads a page again and again.
func (v *visitor) measure(ctx context.Context, path string) error {
	var took []time.Duration
	size := 0
	u, err := v.bench.metered(ctx, func() error {
		for range v.bench.queries() {
			begin := time.Now()
			_, n, err := v.page(ctx, path)
			if err != nil {
				return err
			}
			took, size = append(took, time.Since(begin)), n
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(took)
	name, p50, p95 := anID.ReplaceAllString(path, "ID"), took[len(took)/2], took[len(took)*95/100]
	v.bench.printf("%-40s p50 %8v  p95 %8v  %6.1f KB", name, p50.Round(10*time.Microsecond),
		p95.Round(10*time.Microsecond), float64(size)/1e3)
	v.bench.figure(name, "p50", milliseconds(p50), "ms")
	v.bench.figure(name, "p95", milliseconds(p95), "ms")
	v.bench.used(name, u, per{len(took), "page"})
	return nil
}

// watch has a page open, which hears what is new until ctx ends.
func (v *visitor) watch(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+"/console/live", http.NoBody)
	if err != nil {
		return err
	}
	res, err := v.http.Do(r) //nolint:bodyclose // it is, once ctx ends
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return fmt.Errorf("live: %s", res.Status)
	}
	go func() {
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body) // until ctx ends
	}()
	return nil
}
