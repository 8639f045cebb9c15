package verify_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// A cache is bounded in bytes, not only in tokens: those of an issuer that may be 24 KiB long, with 250 claims and a
// thousand scopes, would otherwise take hundreds of megabytes.
func TestTheCacheIsBoundedInBytes(t *testing.T) {
	const (
		many  = 800
		bound = 36 << 20 // 32 MiB by their hashes, and 4 MiB of those that are found without one
	)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	set := keyset.Static(fmt.Appendf(nil, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":%q}]}`, text(public)))
	t.Cleanup(func() { _ = set.Close() })
	p := &verify.Profile{
		Name: login, Keys: verify.IssuerKeys(set),
		Profile: profile.Profile{MaxLength: profile.MaxLength, MaxMembers: profile.MaxMembers},
	}
	p.Default(paymentsID(t))
	cache := verify.NewCache(func(time.Duration) {})
	v, err := verify.New(nil, []*verify.Profile{p}, turnstile.New(), cache, func(token *verify.Token) error {
		scopes, err := token.Scopes()
		token.User = &principal.User{Scopes: scopes}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var claims strings.Builder
	for n := range 240 {
		fmt.Fprintf(&claims, `,"c%d":"%s"`, n, strings.Repeat("x", 50))
	}
	fmt.Fprintf(&claims, `,"scope":"%s"`, strings.TrimSpace(strings.Repeat("a ", 1000)))
	now := time.Now()
	inUse := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before, length := inUse(), 0
	for n := range many {
		token := text([]byte(`{"alg":"EdDSA","kid":"a","typ":"at+jwt"}`)) + "." +
			text(fmt.Appendf(nil, `{"iss":%q,"sub":%q,"aud":%q,"iat":%d,"exp":%d,"jti":"1"%s}`,
				login, strconv.Itoa(n), paymentsID(t), now.Unix(), now.Add(time.Hour).Unix(), claims.String()))
		token += "." + text(ed25519.Sign(private, []byte(token)))
		length = len(token)
		for range 2 { // the second time it is found, and may be kept with its text
			if _, err := v.Verify(t.Context(), token, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	good, _ := cache.Remembered()
	taken := inUse() - before
	t.Logf("of %d tokens of %d bytes %d are remembered, in %d KiB", many, length, good, taken>>10)
	if good == many || good < 300 {
		t.Errorf("%d tokens are remembered, want some hundreds", good)
	}
	if taken > bound {
		t.Errorf("they take %d KiB, want %d at most", taken>>10, bound>>10)
	}
	runtime.KeepAlive(cache)
}
