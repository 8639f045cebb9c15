package page_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/waterfall"
)

var screenshots = flag.String("screenshots", "",
	"folder for the screenshots of TestScreenshots; empty for a temporary one")

// The ring is full, of calls whose statuses a hostile peer has chosen.
func TestTenThousandCalls(t *testing.T) {
	const calls = 10_000
	s := newShop(t)
	ring := waterfall.NewRing(calls)
	if err := s.orders.stop(); err != nil {
		t.Fatal(err)
	}
	s.open(ring)
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ring)).Tracer("test")
	for i := range calls {
		_, span := tracer.Start(t.Context(), fmt.Sprintf("shop.Stock/M%d", i), trace.WithSpanKind(trace.SpanKindClient))
		span.SetAttributes(attribute.String("rpc.status_code", "<img src=x onerror=alert(1)>"))
		span.End()
	}
	b := s.look("", wide, high, "light")
	b.awaitText(".chip.all .count", "10000")
	if n := b.count(".row"); n != 200 {
		t.Errorf("%d rows are drawn, want 200", n)
	}
	b.click("#more")
	b.await("more rows", "document.querySelectorAll('.row').length === 400")
	b.do(chromedp.SendKeys(chromedp.CSS("#filter"), "/m9999"))
	b.await(
		"one of them",
		"document.querySelectorAll('.row').length === 1 && document.querySelector('.chip.all .count').innerText === '1'",
	)
	b.click(".row")
	b.awaitText("#detail .verdict", "<img src=x onerror=alert(1)>")
	if n := b.count("main img"); n != 0 {
		t.Errorf("%d texts of a peer became elements", n)
	}
}

func TestNothingIsWiderThanAPhone(t *testing.T) {
	s := newShop(t)
	s.quote(2)
	s.refund()
	s.intrude(1)
	for _, scheme := range []string{"light", "dark"} {
		b := s.look("", narrow, high, scheme)
		for view, sign := range map[string]string{
			"calls": ".row", "refusals": "#refusals td", "status": "#status table",
			"policy":   ".card",
			"describe": "#describe pre",
		} {
			b.do(chromedp.Navigate(s.url("#" + view)))
			b.await(view+" is drawn", fmt.Sprintf("document.querySelector(%q)", sign))
			if width := eval[int](b, "document.documentElement.scrollWidth"); width > narrow {
				t.Errorf("%s is %d pixels wide in the %s", view, width, scheme)
			}
		}
		b.do(chromedp.Navigate(s.url("#calls")))
		b.await("calls", "document.querySelector('.row')")
		b.click(".row")
		b.await("one call", "document.querySelector('#detail .line')")
		if width := eval[int](b, "document.documentElement.scrollWidth"); width > narrow {
			t.Errorf("one call is %d pixels wide in the %s", width, scheme)
		}
		b.close()
	}
}

// faint are the texts with less contrast than WCAG 2.2 demands at level AA: 4.5 to 1, or 3 to 1 where they are large.
const faint = `(() => {
	const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
	const rgba = color => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = color;
		canvas.fillRect(0, 0, 1, 1);
		return [...canvas.getImageData(0, 0, 1, 1).data];
	};
	const luminance = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const ground = e => {
		for (; e; e = e.parentElement) {
			const color = rgba(getComputedStyle(e).backgroundColor);
			if (color[3] === 255) return color;
		}
		return [255, 255, 255, 255];
	};
	const poor = new Set();
	const judge = (e, color, text) => {
		const style = getComputedStyle(e);
		const [a, b] = [luminance(rgba(color)), luminance(ground(e))].sort((x, y) => y - x);
		const large = parseFloat(style.fontSize) >= 24 || parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700;
		const contrast = (a + 0.05) / (b + 0.05);
		if (contrast < (large ? 3 : 4.5)) poor.add(e.className + " " + e.tagName + " " + JSON.stringify(text.slice(0, 30)) + " " + contrast.toFixed(2));
	};
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility() || e.closest("[aria-hidden=true] .seg")) continue;
		const text = [...e.childNodes].filter(n => n.nodeType === Node.TEXT_NODE).map(n => n.data).join("").trim();
		if (text) judge(e, getComputedStyle(e).color, text);
		if (e.placeholder) judge(e, getComputedStyle(e, "::placeholder").color, e.placeholder);
	}
	return [...poor].join("\n");
})()`

func TestEveryTextCanBeRead(t *testing.T) {
	s := newShop(t)
	s.quote(2)
	s.quote(0)
	s.refund()
	s.intrude(1)
	for _, scheme := range []string{"light", "dark"} {
		b := s.look("#order=attempts", wide, high, scheme)
		check := func(what string) {
			t.Helper()
			if poor := eval[string](b, faint); poor != "" {
				t.Errorf("%s in the %s:\n%s", what, scheme, poor)
			}
		}
		b.await("calls", "document.querySelectorAll('.row').length === 4")
		check("calls")
		b.click(".row")
		b.awaitText("#detail .story", "Recovered")
		b.click("#detail .line")
		check("one call")
		b.do(chromedp.Navigate(s.url("#filter=code%3D5")))
		b.await("a hint", "!document.querySelector('#hint').hidden")
		check("a hint")
		for view, sign := range map[string]string{
			"status": "#status table", "refusals": "#refusals td", "policy": ".card",
			"describe": "#describe pre",
		} {
			b.do(chromedp.Navigate(s.url("#" + view)))
			b.await(view+" is drawn", fmt.Sprintf("document.querySelector(%q)", sign))
			check(view)
		}
		b.close()
	}
}

// Each is looked at by people; run with -args -screenshots to keep them.
func TestScreenshots(t *testing.T) {
	folder := *screenshots
	if folder == "" {
		folder = t.TempDir()
	}
	s := newShop(t)
	s.intrude(4)
	for i := range int32(18) {
		s.quote([...]int32{0, 0, 1, 0, 0, 2}[i%6])
	}
	s.refund()
	for _, shot := range []struct {
		name          string
		width, height int64
		scheme, hash  string
		sign          string
	}{
		{"page-calls", wide, 800, "light", "#calls", ".row"},
		{"page-call", wide, 800, "dark", "#order=attempts", ".row"},
		{"page-status", wide, 800, "light", "#status", "#status .curve"},
		{"page-policy", wide, 800, "dark", "#policy", ".card"},
		{"page-explain", wide, 800, "light", "#policy", "#question-method option"},
		{"page-explain-phone", narrow, high, "light", "#policy", "#question-method option"},
		{"page-refusals", wide, 500, "light", "#refusals", "#refusals td"},
		{"page-refusals-phone", narrow, high, "dark", "#refusals", "#refusals td"},
		{"page-status-phone", narrow, high, "dark", "#status", "#status table"},
		{"page-calls-phone", narrow, high, "dark", "#calls", ".row"},
		{"page-call-phone", narrow, high, "light", "#order=attempts", ".row"},
	} {
		b := s.look(shot.hash, shot.width, shot.height, shot.scheme)
		b.await(shot.name, fmt.Sprintf("document.querySelector(%q)", shot.sign))
		if shot.hash == "#order=attempts" {
			b.click(".row")
			b.awaitText("#detail .story", "Recovered")
		}
		if strings.HasPrefix(shot.name, "page-explain") {
			b.click("#question summary")
			b.chooseMethod("shop.payments.v1.PaymentsService/GetQuote")
			b.do(chromedp.SendKeys(chromedp.CSS("[name=caller]"), "catalog"))
			b.click("#question button")
			b.awaitText("#explanation", "not among the peers")
			if width := eval[int](b, "document.documentElement.scrollWidth"); int64(width) > shot.width {
				t.Errorf("%s is %d pixels wide", shot.name, width)
			}
		}
		png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		b.close() // all tabs share six connections
		if err := os.WriteFile(filepath.Join(folder, shot.name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
