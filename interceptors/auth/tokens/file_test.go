package tokens_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/principal"
)

// projection is a volume into which Kubernetes projects a token: the file is a link through ..data to a folder that is
// exchanged as a whole.
type projection struct {
	t   testing.TB
	dir string
	n   int
}

func (p *projection) path() string { return filepath.Join(p.dir, "token") }

func (p *projection) project(token string) {
	p.t.Helper()
	p.n++
	folder := filepath.Join(p.dir, "..2026_"+strings.Repeat("x", p.n))
	err := os.Mkdir(folder, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "token"), []byte(token+"\n"), 0o644)
	}
	if err == nil {
		err = os.Symlink(filepath.Base(folder), filepath.Join(p.dir, "..data_tmp"))
	}
	if err == nil {
		err = os.Rename(filepath.Join(p.dir, "..data_tmp"), filepath.Join(p.dir, "..data"))
	}
	if err == nil && p.n == 1 {
		err = os.Symlink(filepath.Join("..data", "token"), p.path())
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// A projected token that is exchanged is used within 30 seconds, and no call fails meanwhile.
func TestProjectedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := newKey(t)
		token := func(life time.Duration) string {
			return sign(
				t,
				key,
				"JWT",
				claims{"aud": []string{"spiffe://shop.example/payments"}, "exp": in(life), "n": time.Now().Unix()},
			)
		}
		p := &projection{t: t, dir: t.TempDir()}
		current := token(time.Hour)
		p.project(current)
		c := cached(t, tokens.File(p.path()))
		wantToken(t, c, id(t, "payments"), current, 0)
		for began := time.Now(); time.Since(began) < 3*time.Hour; time.Sleep(time.Second) {
			if time.Since(began)%(48*time.Minute) == 0 && time.Since(began) > 0 {
				current = token(time.Hour) // as the kubelet does, at 80 % of its life
				p.project(current)
				for range 31 {
					time.Sleep(time.Second)
					if _, err := c.Token(t.Context(), id(t, "payments")); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
			}
			wantToken(t, c, id(t, "payments"), current, 0)
		}
	})
}

// A file that makes no sense leaves the token that was there before.
func TestTokenFileThatBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "token")
		token := sign(t, newKey(t), "JWT", claims{"aud": "spiffe://shop.example/payments", "exp": in(time.Hour)})
		write(t, path, token)
		c := cached(t, tokens.File(path))
		wantToken(t, c, id(t, "payments"), token, 0)
		for _, text := range []string{"", "junk", strings.Repeat("x", 20_000)} {
			write(t, path, text)
			time.Sleep(time.Minute)
			wantToken(t, c, id(t, "payments"), token, 0)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		wantToken(t, c, id(t, "payments"), token, 0)
	})
}

func TestTokenFilesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	key := newKey(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "junk": "SECRET", "huge": strings.Repeat("S", 17<<10), "two tokens": "a.b.c d.e.f",
		"no exp":       sign(t, key, "JWT", claims{"aud": "spiffe://shop.example/payments"}),
		"exp a string": sign(t, key, "JWT", claims{"aud": "spiffe://shop.example/payments", "exp": "1"}),
		"expired":      sign(t, key, "JWT", claims{"aud": "spiffe://shop.example/payments", "exp": in(-time.Second)}),
		"no aud":       sign(t, key, "JWT", claims{"exp": in(time.Hour)}),
		"another aud":  sign(t, key, "JWT", claims{"aud": "spiffe://shop.example/ledger", "exp": in(time.Hour)}),
	} {
		write(t, filepath.Join(dir, name), text)
	}
	for _, name := range []string{"empty", "junk", "huge", "two tokens", "no exp", "exp a string", "expired", "no aud", "another aud", "missing", "pipe", "."} {
		t.Run(name, func(t *testing.T) {
			source := tokens.File(filepath.Join(dir, name))
			token, err := source.Token(t.Context(), id(t, "payments"))
			if err == nil || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "SECRET") ||
				strings.Contains(err.Error(), "eyJ") {
				t.Errorf("got %v, %v", token, err)
			}
		})
	}
	t.Run("shown to those that are named", func(t *testing.T) {
		other, err := principal.ParseID("spiffe://other.example/payments")
		if err != nil {
			t.Fatal(err)
		}
		source := tokens.File(filepath.Join(dir, "another aud"), shopDomain(t).Pattern())
		if _, err := source.Token(t.Context(), id(t, "payments")); err != nil {
			t.Error(err)
		}
		if _, err := source.Token(t.Context(), other); err == nil {
			t.Error("shown to somebody else")
		}
	})
}

// Whatever lies in a token file, it is a token with an end or an error that shows nothing of it.
func FuzzTokenFile(f *testing.F) {
	dir := f.TempDir()
	id, err := principal.ParseID("spiffe://shop.example/payments")
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(dir, "token")
	for _, seed := range []string{
		"", "a", "a.b.c", "\n", "e30.e30.e30", "e30.eyJleHAiOjQxMDI0NDQ4MDAsImF1ZCI6InNwaWZmZTovL3Nob3AuZXhhbXBsZS9wYXltZW50cyJ9.e30\n",
		"e30.eyJleHAiOjB9.e30", "e30.eyJleHAiOjFlMzAwfQ.e30", "e30.bnVsbA.e30", "\xef\xbb\xbfe30.e30.e30",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		token, err := tokens.File(path).Token(t.Context(), id)
		if err != nil {
			if token != (tokens.Token{}) {
				t.Error("an error and a token")
			}
			return
		}
		if token.Value != strings.TrimSpace(text) || !token.Expires.After(time.Now()) ||
			strings.Count(token.Value, ".") != 2 {
			t.Errorf("read %q as %q until %v", text, token.Value, token.Expires)
		}
	})
}
