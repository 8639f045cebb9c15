package auth_test

import (
	"crypto/tls"
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

// Row 13.30: the log names the true cause of a refusal, also where a token cannot be read so far that its issuer is
// known, and nothing of the token.
func TestCauseOfAnUnreadableToken30(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments")
		login := newAuthority(t, "https://login.example")
		login.Subjects = []principal.Pattern{w.domain.Pattern()}
		noCertificate := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errUnexpected }
		gates := map[string]*auth.Gate{
			"workloads alone": w.identity("payments").Server(nil, auth.WithBearer(noCertificate)),
			"an issuer, too":  w.identity("payments").Server(nil, auth.WithBearer(noCertificate), auth.WithIssuers(login.Issuer)),
		}
		segment := base64.RawURLEncoding.EncodeToString
		kid := w.key("payments").Public().KeyID()
		for name, test := range map[string]struct{ payload, says string }{
			"a duplicate member":  {`{"iss":"SECRET","iss":"SECRET"}`, "duplicate"},
			"no object":           {`["SECRET"]`, "no object"},
			"an unknown issuer":   {`{"iss":"https://SECRET.example"}`, "signature"},
			"bytes after the end": {`{"iss":"SECRET"} SECRET`, "claims"},
		} {
			token := strings.Join([]string{
				segment([]byte(`{"alg":"EdDSA","kid":"` + kid + `","typ":"at+jwt"}`)), segment([]byte(test.payload)), segment(make([]byte, 64)),
			}, ".")
			for what, gate := range gates {
				_, err := auth.ReadPeer(t.Context(), gate, "Bearer "+token)
				if err == nil {
					t.Fatalf("%s, %s: it is good", what, name)
				}
				says := test.says
				if what == "workloads alone" { // which need no issuer, and find first that the signature does not hold
					says = "signature"
				}
				if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "SECRET") {
					t.Errorf("%s, %s: %v, want %q", what, name, err, says)
				}
			}
		}
	})
}
