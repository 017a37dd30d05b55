package testbrowser

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"leadgate/shared/testwait"
)

// Page is a page in the browser. Its methods fail the test when they cannot be done within two minutes, and say what the
// page shows then. One goroutine may use it. Selectors are those of CSS.
type Page struct {
	t   testing.TB
	ctx context.Context
	log problems
}

// Open opens address and waits until it is loaded.
func (p *Page) Open(address string) {
	p.t.Helper()
	p.log.allow(address)
	p.do("opening "+address, chromedp.Navigate(address))
}

// Before has each page that is opened from now on run a script before its own.
func (p *Page) Before(script string) {
	p.t.Helper()
	p.do("preparing pages", func(ctx context.Context, target *chromedp.Target) (v chromedp.Void, err error) {
		_, err = cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument,
			page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return v, err
	})
}

// Click waits until what selector finds is visible, and clicks in its middle, whatever is there.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.do("clicking "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// choose picks an option of a select by its text or value; of anything else it marks the old text, to be typed over.
const choose = `(field, text) => {
	field.focus()
	if (field.tagName !== 'SELECT') { field.select?.(); return false }
	const option = [...field.options].find(o => o.label === text || o.value === text)
	if (!option) throw new Error('there is no option ' + text)
	option.selected = true
	for (const type of ['input', 'change']) field.dispatchEvent(new Event(type, { bubbles: true }))
	return true
}`

// Fill types text into a field, key by key, in place of what is there; of a select it chooses the option.
func (p *Page) Fill(selector, text string) {
	p.t.Helper()
	p.do("filling in "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
	var chosen bool
	p.Eval("("+choose+")(document.querySelector("+quote(selector)+"), "+quote(text)+")", &chosen)
	if chosen {
		return
	}
	if text == "" {
		text = kb.Delete
	}
	p.do("typing into "+selector, chromedp.KeyEvent(text))
}

// Choose puts the file at path into a file field, as the dialog of a browser does.
func (p *Page) Choose(selector, path string) {
	p.t.Helper()
	p.do("choosing a file for "+selector, chromedp.SetUploadFiles(chromedp.CSS(selector), []string{path}))
}

// quote writes text as JavaScript.
func quote(text string) string {
	quoted, _ := json.Marshal(text) // never fails
	return string(quoted)
}

// keys are the keys with a name; any other is its character.
var keys = map[string]string{"Tab": kb.Tab, "Enter": kb.Enter, "Escape": kb.Escape, "Space": " ", "Delete": kb.Delete,
	"Backspace": kb.Backspace, "Home": kb.Home, "End": kb.End, "ArrowUp": kb.ArrowUp, "ArrowDown": kb.ArrowDown,
	"ArrowLeft": kb.ArrowLeft, "ArrowRight": kb.ArrowRight}

var modifiers = map[string]chromedp.Modifier{"Shift": chromedp.ModifierShift, "Control": chromedp.ModifierCtrl,
	"Alt": chromedp.ModifierAlt}

// Press presses a key where the focus is: a character, or "Tab", "Shift+Tab", "Enter", "Control+a".
func (p *Page) Press(key string) {
	p.t.Helper()
	var held []chromedp.Modifier
	name := key
	for {
		first, rest, ok := strings.Cut(name, "+")
		modifier, known := modifiers[first]
		if !ok || !known {
			break
		}
		held, name = append(held, modifier), rest
	}
	if named, ok := keys[name]; ok {
		name = named
	}
	p.do("pressing "+key, chromedp.KeyEvent(name, chromedp.KeyModifiers(held...)))
}

// Text waits until what selector finds is visible, and returns the text that a person sees there.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	return run(p, "reading "+selector, chromedp.Text(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Eval runs a script in the page, waits for its promise, and decodes what it gives from JSON into a pointer, if any.
func (p *Page) Eval(script string, into any) {
	p.t.Helper()
	got := run(p, "running "+script, chromedp.Evaluate[[]byte](script, chromedp.EvalAwaitPromise))
	if into == nil {
		return
	}
	if err := json.Unmarshal(got, into); err != nil {
		p.fail("reading what "+script+" gave", err)
	}
}

// Wait waits until a condition, which is an expression of JavaScript, is true, also when other pages open meanwhile.
func (p *Page) Wait(condition string) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	testwait.UntilWithin(p.t, patience, condition, func() bool {
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		defer cancel()
		holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+condition+")"))
		if time.Now().After(deadline.Add(-time.Second)) {
			p.fail("waiting for "+condition, err)
		}
		return holds && err == nil
	})
}

// WaitText waits until what a person sees of the page has text in it.
func (p *Page) WaitText(text string) {
	p.t.Helper()
	p.Wait("document.body?.innerText.includes(" + quote(text) + ")")
}

// Wide makes the page one of a desk: 1280 by 800.
func (p *Page) Wide() {
	p.t.Helper()
	p.do("making it wide", chromedp.EmulateViewport(1280, 800))
}

// Phone makes the page one of a phone: 390 by 844, touched with fingers.
func (p *Page) Phone() {
	p.t.Helper()
	p.do("making it a phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile,
		chromedp.EmulateTouch))
}

// Dark has the page believe that its visitor prefers dark colors; Light, light ones.
func (p *Page) Dark() { p.t.Helper(); p.prefer("dark") }

// Light is the opposite of Dark.
func (p *Page) Light() { p.t.Helper(); p.prefer("light") }

// settled waits until the page has been drawn with what it was told of its screen, which its scripts and transitions may
// follow with a frame's delay.
const settled = `(async () => {
	await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)));
	const ends = document.getAnimations().filter(a => a.effect.getComputedTiming().endTime < Infinity);
	await Promise.allSettled(ends.map(a => a.finished));
})()`

func (p *Page) prefer(scheme string) {
	p.t.Helper()
	p.do("preferring "+scheme, func(ctx context.Context, target *chromedp.Target) (v chromedp.Void, err error) {
		_, err = cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return v, err
	})
	p.Eval(settled, nil)
}

// Screenshot writes the whole page to NAME.png among the test's artifacts, and returns where. go test keeps them with
// -artifacts, in the folder of -outputdir.
func (p *Page) Screenshot(name string) (path string) {
	p.t.Helper()
	path = filepath.Join(p.t.ArtifactDir(), name+".png")
	if err := os.WriteFile(path, run(p, "taking a picture", chromedp.FullScreenshot(100)), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *Page) do(what string, action chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	run(p, what, action)
}

// run does action. What news of the page replace between its being found and being used is looked for again: nothing was
// done to it then.
func run[T any](p *Page, what string, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, action)
	for err != nil && strings.Contains(err.Error(), replaced) && ctx.Err() == nil {
		got, err = chromedp.Run(ctx, action)
	}
	if err != nil {
		p.fail(what, err)
	}
	return got
}

// replaced is in what Chromium says of an element that is in the page no longer: "Could not find node with given id" and
// the like.
const replaced = "ode with given id"

// fail ends the test with what the page shows and what is wrong with it.
func (p *Page) fail(what string, err error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	shown, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body?.innerText"))
	p.t.Fatalf("%s: %v\nproblems: %q\nthe page shows %.2000s", what, err, p.log.take(), shown)
}
