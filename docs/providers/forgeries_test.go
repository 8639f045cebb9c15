package providers_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"strings"
	"testing"
	"time"
)

// forge is a token in the making. It is signed with the product's own key, so that only what a forgery changes stands
// between it and the one who reads it.
type forge struct {
	t       *testing.T
	product *product
	key     *key
	header  map[string]any
	claims  map[string]any
}

func (f *forge) alg() string {
	name, _ := f.header["alg"].(string)
	return name
}

// token signs what the forge holds.
func (f *forge) token() string {
	return compact(f.t, f.alg(), f.key, text(f.t, f.header), text(f.t, f.claims))
}

// forgery is a hostile token that differs in one thing from one that the product signs.
type forgery struct {
	name string
	// kind is the token that is forged, where it is not the one that the door is for.
	kind string
	// door is the name of the only door that it is tried at. Default: all doors.
	door string
	// of says which products it is for. Default: all.
	of   func(*product) bool
	make func(*forge) string
}

func forgeries() []forgery {
	return append(statements(), append(signatures(), forms()...)...)
}

// statements are true signatures under claims that mean something else.
func statements() []forgery {
	claims := func(change func(*forge)) func(*forge) string {
		return func(f *forge) string {
			change(f)
			return f.token()
		}
	}
	set := func(of func(*product) map[string]any) func(*forge) string {
		return claims(func(f *forge) {
			maps.Copy(f.claims, of(f.product))
		})
	}
	return []forgery{
		{name: "no exp", make: claims(func(f *forge) { delete(f.claims, "exp") })},
		{name: "expired", make: claims(func(f *forge) { f.claims["exp"] = time.Now().Add(-10 * time.Minute).Unix() })},
		{name: "exp is a text", make: claims(func(f *forge) { f.claims["exp"] = "1893456000" })},
		{name: "meant for another service", make: set(func(p *product) map[string]any {
			if p.OtherAudience != nil {
				return p.OtherAudience
			}
			return map[string]any{"aud": "ledger"}
		})},
		{name: "of another tenant", make: set(func(p *product) map[string]any { return p.OtherTenant })},
		{
			name: "of a stranger's job", of: func(p *product) bool { return p.OtherOwner != nil },
			make: set(func(p *product) map[string]any { return p.OtherOwner }),
		},
		{
			name: "ID token in place of an access token", kind: "id",
			of:   func(p *product) bool { return p.Tokens["id"].Header != nil },
			make: func(f *forge) string { return f.token() },
		},
		{
			name: "of a user who came through the workload's client", kind: "user", door: workloadDoor,
			of:   func(p *product) bool { return p.ThroughWorkload != nil },
			make: set(func(p *product) map[string]any { return p.ThroughWorkload }),
		},
		{
			name: "of a user in place of a workload's", kind: "user", door: workloadDoor,
			of:   func(p *product) bool { return p.Tokens["user"].Header != nil },
			make: func(f *forge) string { return f.token() },
		},
		{
			name: "of a workload in place of a user's", kind: "workload", door: userDoor,
			make: func(f *forge) string { return f.token() },
		},
	}
}

// signatures are true claims under signatures that prove nothing.
func signatures() []forgery {
	under := func(alg string) func(*forge) string {
		return func(f *forge) string {
			f.header["alg"] = alg
			return f.token()
		}
	}
	signedRSA := func(p *product) bool { return p.Tokens["workload"].Header["alg"] == "RS256" }
	return []forgery{
		{name: "signed with another key", make: func(f *forge) string {
			f.key = f.product.stranger
			return f.token()
		}},
		{name: "of a key that is not published", make: func(f *forge) string {
			f.key, f.header["kid"] = f.product.stranger, "another"
			return f.token()
		}},
		{name: "alg none", make: func(f *forge) string {
			f.header["alg"] = "none"
			return b64([]byte(text(f.t, f.header))) + "." + b64([]byte(text(f.t, f.claims))) + "."
		}},
		{name: "HS256 with the public key", make: func(f *forge) string {
			f.header["alg"] = "HS256"
			der, err := x509.MarshalPKIXPublicKey(f.key.Public())
			if err != nil {
				f.t.Fatal(err)
			}
			signed := b64([]byte(text(f.t, f.header))) + "." + b64([]byte(text(f.t, f.claims)))
			mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			mac.Write([]byte(signed))
			return signed + "." + b64(mac.Sum(nil))
		}},
		{name: "PS256 for RS256", of: signedRSA, make: under("PS256")},
		{name: "RS256 under the name PS256", of: signedRSA, make: func(f *forge) string {
			f.header["alg"] = "PS256"
			return compact(f.t, "RS256", f.key, text(f.t, f.header), text(f.t, f.claims))
		}},
		{name: "under the name of another kind of key", make: func(f *forge) string {
			f.header["alg"] = "ES384"
			return compact(f.t, "ES256", f.key, text(f.t, f.header), text(f.t, f.claims))
		}},
	}
}

// forms are true signatures over texts that can be read in two ways, or that make the reader act.
func forms() []forgery {
	header := func(name string, value any) func(*forge) string {
		return func(f *forge) string {
			f.header[name] = value
			return f.token()
		}
	}
	twice := func(of func(*forge) (header, payload string)) func(*forge) string {
		return func(f *forge) string {
			header, payload := of(f)
			return compact(f.t, f.alg(), f.key, header, payload)
		}
	}
	return []forgery{
		{name: "a claim twice", make: twice(func(f *forge) (header, payload string) {
			return text(f.t, f.header), strings.Replace(text(f.t, f.claims), "{", `{"sub":"mallory",`, 1)
		})},
		{name: "a header member twice", make: twice(func(f *forge) (header, payload string) {
			return strings.Replace(text(f.t, f.header), "{", `{"kid":"another",`, 1), text(f.t, f.claims)
		})},
		{name: "a token in a token", make: func(f *forge) string {
			inner := f.token()
			f.header["cty"] = "JWT"
			return compact(f.t, f.alg(), f.key, text(f.t, f.header), inner)
		}},
		{name: "crit", make: func(f *forge) string {
			f.header["crit"], f.header["exp"] = []string{"exp"}, f.claims["exp"]
			return f.token()
		}},
		{name: "jku", make: header("jku", "https://mallory.example/keys")},
		{name: "jwk", make: func(f *forge) string {
			kind := map[string]any{"kty": "RSA", "n": "", "e": ""}
			if f.alg() == "ES256" {
				kind = map[string]any{"kty": "EC", "crv": "P-256", "x": "", "y": ""}
			}
			f.key = f.product.stranger
			f.header["jwk"] = fill(f.t, kind, f.key)
			return f.token()
		}},
		{name: "x5c", make: func(f *forge) string {
			f.key = f.product.stranger
			f.header["x5c"] = fill(f.t, map[string]any{"x5c": []any{""}}, f.key)["x5c"]
			return f.token()
		}},
		{name: "b64", make: header("b64", false)},
		{name: "zip", make: header("zip", "DEF")},
		{name: "27 KiB long", make: func(f *forge) string {
			f.claims["groups"] = strings.Repeat("g", 20<<10)
			return f.token()
		}},
	}
}
