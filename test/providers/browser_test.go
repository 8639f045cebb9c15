// Package providers_test logs in at real identity providers, and brings what they sign to Parley.
package providers_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a login may take. Nothing waits that long unless it is broken.
const patience = time.Minute

var errNoBrowser = errors.New("no Chromium was found; install it (Debian: apt-get install chromium)")

func findBrowser() error {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if _, err := exec.LookPath(name); err == nil {
			return nil
		}
	}
	return errNoBrowser
}

// openBrowser shows a page in a Chromium.
func openBrowser(t *testing.T, url string) *browser {
	t.Helper()
	if err := findBrowser(); err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses root otherwise
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	allocator, stop := chromedp.NewExecAllocator(ctx, options...)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closeBrowser()
		stop()
		cancel()
	})
	b := &browser{t, ctx}
	b.do(chromedp.Navigate(url))
	return b
}

type browser struct {
	t   *testing.T
	ctx context.Context
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// fill types into a field of a form.
func (b *browser) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)), chromedp.KeyEvent(text))
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}
