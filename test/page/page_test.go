package page_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/waterfall"
)

const wide, narrow, high = 1280, 390, 844

func TestThePageOpensAndShowsEveryAttempt(t *testing.T) {
	s := newShop(t)
	s.quote(2)
	b := s.look("", wide, high, "light")
	b.awaitText("#service", "orders")
	b.awaitText("#link", "live")
	b.awaitText(".row", "3 attempts")
	if title := eval[string](b, "document.title"); title != "orders · calls" {
		t.Errorf("the title is %q", title)
	}
	b.click(".row")
	b.awaitText("#detail .story", "Recovered on attempt 3, after UNAVAILABLE.")
	b.await(
		"three attempts and two waits as gaps",
		"document.querySelectorAll('#detail .line.gap .gap').length === 2 && document.querySelectorAll('#detail "+
			".number:not(:empty)').length === 3",
	)
}

func TestFilters(t *testing.T) {
	s := newShop(t)
	s.quote(0)
	s.quote(2)
	s.refund()
	b := s.look("", wide, high, "light")
	rows := func(n int) string { return fmt.Sprintf("document.querySelectorAll('.row').length === %d", n) }
	b.await("all calls", rows(3))
	for _, tc := range []struct {
		name, filter string
		rows         int
	}{
		{"by method", "refund", 1},
		{"by two words in any order", "getquote recovered", 1},
		{"by attempts", "attempts>2", 1},
		{"by fewer attempts", "attempts<2", 2},
		{"by duration", "took>1m", 0},
		{"by at least so many attempts", "attempts>=3", 1},
		{"by what is nowhere", "nowhere", 0},
		{"by nothing", "", 3},
	} {
		eval[bool](
			b,
			"document.querySelector('#filter').value = '', document.querySelector('#filter').dispatchEvent(new Event('input'))",
		)
		if tc.filter != "" {
			b.do(chromedp.SendKeys(chromedp.CSS("#filter"), tc.filter))
		}
		b.await(tc.name, rows(tc.rows))
	}
	b.click(".chip.failed")
	b.await("failed ones", rows(1))
	b.click(".chip.retried")
	b.await("retried ones", rows(1)+" && document.querySelector('.row').innerText.includes('GetQuote')")
	b.click(".chip.all")
	eval[bool](
		b,
		"document.querySelector('#outcome').value = 'deadline', document.querySelector('#outcome').dispatchEvent(new "+
			"Event('change'))",
	)
	b.await("those without time for another attempt",
		rows(1)+" && document.querySelector('.row').innerText.includes('Refund')")
	eval[bool](
		b,
		"document.querySelector('#order').value = 'slowest', document.querySelector('#order').dispatchEvent(new "+
			"Event('change'))",
	)

	b.do(chromedp.Reload())
	b.await("the filters survive a reload, in the address",
		rows(1)+" && location.hash === '#outcome=deadline&order=slowest'")
	again := s.look("#kind=retried&order=attempts", wide, high, "light")
	again.await("a link with filters", rows(1)+" && document.querySelector('#order').value === 'attempts'")
}

// What looks like a comparison and is none says what would be one, instead of showing nothing.
func TestAWrongFilterGivesAHint(t *testing.T) {
	s := newShop(t)
	s.quote(0)
	b := s.look("", wide, high, "light")
	b.await("the call", "document.querySelectorAll('.row').length === 1")
	for filter, hint := range map[string]string{
		"status:unavailable": "only attempts and took can be compared",
		"code=5":             "only attempts and took can be compared",
		"took>soon":          "took is compared with a time: took>50ms",
		"attempts>many":      "attempts is compared with a number: attempts>2",
		"attempts~2":         "use > < >= <= or =",
	} {
		eval[bool](
			b,
			fmt.Sprintf(
				"document.querySelector('#filter').value = %q, document.querySelector('#filter').dispatchEvent(new Event('input'))",
				filter,
			),
		)
		b.awaitText("#hint", hint)
	}
	for _, filter := range []string{"attempts>0", "took<1m", "127.0.0.1:8", "getquote"} {
		eval[bool](
			b,
			fmt.Sprintf(
				"document.querySelector('#filter').value = %q, document.querySelector('#filter').dispatchEvent(new Event('input'))",
				filter,
			),
		)
		b.await("no hint for "+filter, "document.querySelector('#hint').hidden")
	}
}

// A service that serves and calls: the retries of the call that its handler made count for the call that it served.
func TestRetriesBelowAServedCall(t *testing.T) {
	s := newShop(t)
	ring := waterfall.NewRing(10)
	if err := s.orders.stop(); err != nil {
		t.Fatal(err)
	}
	s.open(ring)
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ring)).Tracer("test")
	for i, attempts := range []int{1, 3} {
		ctx, served := tracer.Start(t.Context(), fmt.Sprintf("shop.Orders/M%d", i), trace.WithSpanKind(trace.SpanKindServer))
		_, call := tracer.Start(ctx, "shop.Payments/Charge", trace.WithSpanKind(trace.SpanKindClient))
		call.SetAttributes(attribute.Int("parley.attempts", attempts), attribute.String("rpc.status_code", "OK"))
		call.End()
		served.End()
	}
	b := s.look("#order=attempts", wide, high, "light")
	b.await("both", "document.querySelectorAll('.row').length === 2")
	b.awaitText(".row", "↳ 3 attempts")
	b.awaitText(".chip.retried .count", "1")
	b.click(".chip.retried")
	b.await(
		"the retried one",
		"document.querySelectorAll('.row').length === 1 && document.querySelector('.row').innerText.includes('M1')",
	)
}

func TestALinkLeadsToOneCall(t *testing.T) {
	s := newShop(t)
	ring := waterfall.NewRing(10, waterfall.WithMessages())
	if err := s.orders.stop(); err != nil {
		t.Fatal(err)
	}
	s.open(ring)
	s.quote(0)
	s.refund()
	call := ring.Calls()[0]
	b := s.look("#trace="+call.TraceID+"&span="+call.SpanID, wide, high, "light")
	b.awaitText("#detail h2", "PaymentsService/Refund")
	b.awaitText("#detail .story", "the deadline left no room for another attempt")
	b.awaitText("#detail .message", "the bank is closed")
	b.awaitText("#detail .facts", call.TraceID)
	b.await("the deadline as a line", "document.querySelector('#detail .deadline').innerText.includes('deadline')")
	b.awaitText(".row[aria-current]", "Refund")
	b.click("#detail .line")
	b.awaitText("#detail .entry .facts", call.Attempts[0].SpanID)

	gone := s.look("#trace=00000000000000000000000000000001", wide, high, "light")
	gone.awaitText("#detail", "This call is not kept.")
}

func TestThePageIsLiveAndCanBePaused(t *testing.T) {
	s := newShop(t)
	s.quote(0)
	b := s.look("", wide, high, "light")
	b.await("one call", "document.querySelectorAll('.row').length === 1")
	s.quote(0)
	b.await("a second call without a reload", "document.querySelectorAll('.row').length === 2")
	b.click("#pause")
	s.quote(0)
	b.awaitText("#pause", "Go on (1)")
	if n := b.count(".row"); n != 2 {
		t.Errorf("%d calls are shown while paused, want 2", n)
	}
	b.click("#pause")
	b.await("what was held", "document.querySelectorAll('.row').length === 3")
}

func TestThePageSurvivesARestartOfTheService(t *testing.T) {
	s := newShop(t)
	s.quote(2)
	b := s.look("", wide, high, "light")
	b.awaitText(".row", "3 attempts")
	if err := s.orders.stop(); err != nil {
		t.Fatal(err)
	}
	b.awaitText("#link", "disconnected")
	b.awaitText(".row", "3 attempts") // still to be read
	s.open(waterfall.NewRing(100))
	b.awaitText("#link", "live")
	b.await("calls of the run before are gone", "document.querySelectorAll('.row').length === 0")
	s.quote(0)
	b.await("calls of this run", "document.querySelectorAll('.row').length === 1")
}

func TestKeyboard(t *testing.T) {
	s := newShop(t)
	s.refund()
	s.quote(0)
	b := s.look("", wide, high, "light")
	b.await("both calls", "document.querySelectorAll('.row').length === 2")
	b.press("/")
	b.await("the filter has the focus", "document.activeElement.id === 'filter'")
	b.press("refund")
	b.await("filtered", "document.querySelectorAll('.row').length === 1")
	b.press(kb.Escape)
	b.await(
		"the filter is cleared",
		"document.querySelectorAll('.row').length === 2 && document.activeElement.id !== 'filter'",
	)
	b.press("j")
	b.press("j")
	b.await("the second call has the focus", "document.activeElement === document.querySelectorAll('.row')[1]")
	b.press(kb.Enter)
	b.awaitText("#detail h2", "Refund")
	b.press("k")
	b.awaitText("#detail h2", "GetQuote")
	b.press(kb.Escape)
	b.await("closed", "document.querySelector('#detail').hidden")
	b.press("2")
	b.await("the failed one", "document.querySelectorAll('.row').length === 1")
	b.press("1")
	b.press("?")
	b.await("the keys", "document.querySelector('#keys').open")
}

// Arrow keys move within a radiogroup, and Tab passes it in one step, as people who use a keyboard expect.
func TestRadiogroups(t *testing.T) {
	s := newShop(t)
	s.refund()
	s.quote(0)
	b := s.look("", wide, high, "light")
	b.await("both calls", "document.querySelectorAll('.row').length === 2")
	tabbed := "[...document.querySelectorAll('#chips [role=radio]')].filter(c => c.tabIndex === 0).map(c => " +
		"c.dataset.kind).join()"
	b.await("only the chosen one is reached by Tab", tabbed+" === 'all'")
	eval[bool](b, "document.querySelector('.chip.all').focus() ?? true")
	for _, step := range []struct{ key, kind string }{
		{kb.ArrowRight, "failed"},
		{kb.ArrowDown, "retried"},
		{kb.ArrowLeft, "failed"},
		{kb.End, "open"},
		{kb.ArrowRight, "all"},
		{kb.ArrowUp, "open"},
		{kb.Home, "all"},
	} {
		b.press(step.key)
		b.await(step.kind+" is chosen and has the focus",
			tabbed+" === '"+step.kind+"' && document.activeElement.dataset.kind === '"+step.kind+"'")
	}
	b.click("nav [data-view=status]")
	b.awaitText("#status", "Log level")
	eval[bool](b, "[...document.querySelectorAll('#status .chip')].find(c => c.innerText === 'INFO').focus() ?? true")
	b.press(kb.ArrowRight)
	b.await("the level is changed and keeps the focus",
		"document.activeElement.innerText === 'WARN' && document.activeElement.getAttribute('aria-checked') === 'true'")
	if level := s.level.Level(); level != slog.LevelWarn {
		t.Errorf("the level is %v", level)
	}
}

// Who was refused, when, and why, equal refusals in one row.
func TestRefusals(t *testing.T) {
	s := newShop(t)
	b := s.look("#refusals", wide, high, "light")
	b.awaitText("#refusals", "Nothing was refused.")
	s.intrude(3)
	b.await("one row", "document.querySelectorAll('#refusals tbody tr').length === 1")
	for _, text := range []string{
		"3 times since", "call", "spiffe://shop.example/catalog", "127.0.0.1:", "grpc-go/", "PaymentsService/GetQuote",
		"POLICY_DENIED", "the caller is not among the peers",
	} {
		b.awaitText("#refusals tbody tr", text)
	}
	b.do(chromedp.SendKeys(chromedp.CSS("#refusal-filter"), "nowhere"))
	b.awaitText("#refusals", "No refusal matches, of 1.")
}

// The status is looked at again every second, and what is the same stays: a selection, the focus, the place.
func TestTheStatusIsNotBuiltAnew(t *testing.T) {
	s := newShop(t)
	s.quote(0)
	b := s.look("#status", wide, high, "light")
	b.awaitText("#status", "spiffe://shop.example/payments")
	eval[bool](b, `(() => {
		const cell = [...document.querySelectorAll("#status td")].find(c => c.innerText === "spiffe://shop.example/payments");
		getSelection().selectAllChildren(cell);
		window.up = () => [...document.querySelectorAll("#status .tiles div")].find(d => d.innerText.startsWith("up")).innerText;
		window.first = up();
		return true;
	})()`)
	b.await("time goes on", "up() !== first")
	if text := eval[string](b, "getSelection().toString().trim()"); text != "spiffe://shop.example/payments" {
		t.Errorf("the selection is %q", text)
	}
}

func TestStatusPolicyAndSetup(t *testing.T) {
	s := newShop(t)
	s.quote(2)
	b := s.look("#status", wide, high, "light")
	for _, text := range []string{
		"parley:///payments", "spiffe://shop.example/payments", "payments@127.0.0.1:", s.dir,
		"up to date", "goroutines", "/debug/pprof/",
	} {
		b.awaitText("#status", text)
	}
	b.await("the budget over time", "document.querySelector('.sparkline .edge').getAttribute('d').startsWith('M0')")
	b.awaitText(".sparkline", "of 10")
	eval[bool](b, "[...document.querySelectorAll('#status .chip')].find(c => c.innerText === 'DEBUG').click() ?? true")
	b.await(
		"the level is changed",
		"[...document.querySelectorAll('#status .chip')].find(c => c.innerText === 'DEBUG').getAttribute('aria-checked') "+
			"=== 'true'",
	)
	if level := s.level.Level(); level != slog.LevelDebug {
		t.Errorf("the level is %v", level)
	}
	b.click("nav [data-view=policy]")
	b.awaitText("#policies", "shop/payments/v1/payments.proto: PaymentsService/GetQuote")
	b.do(chromedp.SendKeys(chromedp.CSS("#policy-filter"), "no side effects getquote"))
	b.await(
		"one policy",
		"document.querySelectorAll('.card').length === 1 && document.querySelector('.card').innerText.includes('500ms')",
	)
	b.click("nav [data-view=describe]")
	b.awaitText("#describe", "call span > [Call]")
}

// The form on the policy view shows the way to a decision, and keeps no token: neither the address nor the page has it.
func TestExplainADecision(t *testing.T) {
	s := newShop(t)
	b := s.look("#policy", wide, high, "light")
	b.await("the methods", "document.querySelectorAll('#question-method option').length > 2")
	b.click("#question summary")
	ask := func(caller, user string) {
		t.Helper()
		eval[bool](b, `document.querySelector("#question-form").reset() ?? true`)
		b.chooseMethod("shop.payments.v1.PaymentsService/GetQuote")
		if caller != "" {
			b.do(chromedp.SendKeys(chromedp.CSS("[name=caller]"), caller))
		}
		if user != "" {
			b.do(chromedp.SendKeys(chromedp.CSS("[name=user_token]"), user))
		}
		b.click("#question button")
	}
	ask("orders", "")
	b.awaitText("#explanation .story.ok", "allowed")
	b.awaitText("#explanation .steps", "shop/payments/v1/payments.proto: PaymentsService")
	ask("catalog", "")
	b.awaitText("#explanation .story.bad", "refused, POLICY_DENIED")
	b.awaitText("#explanation .steps", "the caller is not among the peers")
	ask("", "")
	b.awaitText("#explanation .story.bad", "CREDENTIALS_MISSING")
	ask("orders", "this is no token")
	b.awaitText("#explanation .story.bad", "holds no JWT")
	ask("spiffe://shop.example/<img src=x>", "")
	b.awaitText("#explanation .story.bad", "the caller")
	if n := b.count("#explanation img"); n != 0 {
		t.Errorf("%d texts became elements", n)
	}
	kept := eval[string](b, "location.hash + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
	if kept != "#policy{}{}" {
		t.Errorf("the browser keeps %s", kept)
	}
}

// chooseMethod chooses a method of the form on the policy view.
func (b *tab) chooseMethod(name string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf("document.querySelector('#question-method').value = %q, true", name))
}
