package framework_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
)

// The admin surface explains a decision as the server makes it, and logs nothing of a token.
func TestExplainOnTheAdminSurface(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		n := frameworktest.NewNetwork(t)
		app := replica(n, &bank{}, framework.WithPolicySource(&rulebook{text: "open"}),
			framework.WithConfigFile(writeFile(t, "policies:\n  /shop.payments.v1.PaymentsService/GetQuote:\n"+
				"    auth: {deny: [{name: no-guests, user: {subject_prefix: [guest-]}}]}\n"+
				"users: {issuers: [{issuer: \"https://login.example\", keys: {file: "+keySet(t)+"}}]}\n")),
			framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		n.Run(app)
		ask := func(form url.Values) string {
			t.Helper()
			form.Set("format", "text")
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/explain",
				io.NopCloser(strings.NewReader(form.Encode())))
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			answer := httptest.NewRecorder()
			app.AdminHandler().ServeHTTP(answer, request)
			return answer.Body.String()
		}
		const quote = "shop.payments.v1.PaymentsService/GetQuote"
		for name, test := range map[string]struct {
			form url.Values
			says []string
		}{
			"allowed": {
				url.Values{"method": {quote}, "caller": {"orders"}},
				[]string{"GetQuote: allowed\n", "peers: met (proto shop/payments/v1/payments.proto: PaymentsService)"},
			},
			"no peer": {url.Values{"method": {quote}, "caller": {"catalog"}}, []string{"not among the peers"}},
			"nobody":  {url.Values{"method": {quote}}, []string{"refused, CREDENTIALS_MISSING"}},
			"a user": {
				url.Values{
					"method": {quote}, "caller": {"orders"},
					"user_token": {`{"iss":"https://login.example","sub":"guest-7f3a"}`},
				},
				[]string{"refused, POLICY_DENIED: denied by rule no-guests", "payments.yaml:2"},
			},
			"a user of another issuer": {
				url.Values{
					"method": {quote}, "caller": {"orders"}, "user_token": {`{"iss":"https://evil.example","sub":"guest-7f3a"}`},
				},
				[]string{"refused, CREDENTIALS_INVALID", "not among users.issuers"},
			},
			"a pattern": {
				url.Values{"method": {quote}, "caller": {"spiffe://test/*"}}, []string{"a caller is one workload"},
			},
			"no JWT":         {url.Values{"method": {quote}, "caller_token": {"guest-7f3a"}}, []string{"holds no JWT"}},
			"another method": {url.Values{"method": {"shop.S/M"}}, []string{"does not serve /shop.S/M"}},
		} {
			text := ask(test.form)
			for _, want := range test.says {
				if !strings.Contains(text, want) {
					t.Errorf("%s: %q is not in\n%s", name, want, text)
				}
			}
			if strings.Contains(text, "7f3a") {
				t.Errorf("%s: the answer contains the token:\n%s", name, text)
			}
		}
		time.Sleep(time.Millisecond) // between two looks at the files, so that no log line is being written
		synctest.Wait()
		if strings.Contains(log.String(), "7f3a") {
			t.Errorf("the log contains a token:\n%s", log.String())
		}
	})
}
