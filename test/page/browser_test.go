// Package page_test looks at the live page in a real Chromium, as an operator does.
package page_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	// patience is how long anything on the page may take. Nothing waits that long unless it is broken.
	patience = 30 * time.Second
	// lifetime is how long a test may use its browser.
	lifetime = 3 * time.Minute
)

var errNoBrowser = errors.New("no Chromium was found; install it (Debian: apt-get install chromium)")

func findBrowser() error {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if _, err := exec.LookPath(name); err == nil {
			return nil
		}
	}
	return errNoBrowser
}

// startBrowser starts a Chromium for one test, and returns the context for its tabs.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	if err := findBrowser(); err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses root otherwise
	}
	ctx, cancel := context.WithTimeout(context.Background(), lifetime)
	allocator, stop := chromedp.NewExecAllocator(ctx, options...)
	ctx, stopBrowser := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		stopBrowser()
		stop()
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return ctx
}

// tab is one tab of the browser. A message on its console, an error or a violation of the page's policy fails the test.
type tab struct {
	t     *testing.T
	ctx   context.Context
	close func()

	mu       sync.Mutex
	messages []string
}

func openTab(browser context.Context, t *testing.T, url string, width, height int64, scheme string) *tab {
	t.Helper()
	b := &tab{t: t}
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithListener(b.listen))
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	b.ctx = ctx
	b.close = sync.OnceFunc(func() {
		cancel()
		closeTab()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, m := range b.messages {
			t.Errorf("the console says: %s", m)
		}
	})
	t.Cleanup(b.close)
	b.do(chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme},
				{Name: "prefers-reduced-motion", Value: "reduce"},
			},
		})
		return err
	}), chromedp.Navigate(url))
	return b
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.messages = append(b.messages, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.messages = append(b.messages, fmt.Sprintf("%s: %v", e.Type, e.Args))
	default:
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// eval returns the value of an expression of the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits in the page until a condition holds.
func (b *tab) await(what, condition string) {
	b.t.Helper()
	held := eval[bool](b, fmt.Sprintf(`new Promise(done => {
		const end = performance.now() + %d;
		const look = () => { (%s) ? done(true) : performance.now() > end ? done(false) : setTimeout(look, 20); };
		look();
	})`, patience.Milliseconds(), condition))
	if !held {
		b.t.Fatalf("%s: not after %s. The page says:\n%s", what, patience, eval[string](b, "document.body.innerText"))
	}
}

// awaitText waits until an element shows a text.
func (b *tab) awaitText(selector, text string) {
	b.t.Helper()
	b.await(fmt.Sprintf("%s shows %q", selector, text),
		fmt.Sprintf("(document.querySelector(%q) || {innerText: ''}).innerText.includes(%q)", selector, text))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

func (b *tab) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

func (b *tab) count(selector string) int {
	b.t.Helper()
	return eval[int](b, fmt.Sprintf("document.querySelectorAll(%q).length", selector))
}
