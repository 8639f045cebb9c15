package providers_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fixture is what the tokens and keys of a product look like, as its documentation shows them: <product>.json.
type fixture struct {
	// Documentation is what the fixture was written after.
	Documentation []string
	// Issuer is what its tokens state as iss. It is empty where they state none.
	Issuer string
	// Discovery is the product's discovery document (OpenID Connect Discovery 1.0 section 4), null without one.
	Discovery map[string]any
	// Bundle is where the keys are, without a discovery document.
	Bundle string
	// Keys are the members of its key set. Empty members are filled from a new key, which keys with one kid share.
	Keys []map[string]any
	// Set are further members of the key set.
	Set map[string]any
	// Tokens are what the product signs: for a user, for a user's client (an ID token), and for a workload. A text such
	// as "@-5m" is that time from now, as a NumericDate.
	Tokens map[string]shape
	// OtherTenant are the claims in which the tokens of another tenant of the product differ.
	OtherTenant map[string]any
	// OtherAudience are those in which tokens for another service differ. Default: aud.
	OtherAudience map[string]any
	// OtherOwner are those in which tokens of a stranger's jobs differ, where one issuer signs for everybody.
	OtherOwner map[string]any
	// ThroughWorkload are the claims in which the token of a user differs who got it through the workload's own client.
	ThroughWorkload map[string]any
	// Expect is what Parley must read in the tokens.
	Expect struct {
		Subject string
		Scopes  []string
	}
}

// shape is one token.
type shape struct{ Header, Claims map[string]any }

// products are the names of all products.
func products(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures", err)
	}
	for n, file := range files {
		files[n] = strings.TrimSuffix(file, ".json")
	}
	slices.Sort(files)
	return files
}

func readFixture(t *testing.T, name string) fixture {
	t.Helper()
	text, err := os.ReadFile(name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	var f fixture
	if err := decoder.Decode(&f); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

// timed returns a value in which each text such as "@5m" is that time from now.
func timed(value any, now time.Time) any {
	switch v := value.(type) {
	case string:
		if d, err := time.ParseDuration(strings.TrimPrefix(v, "@")); err == nil && strings.HasPrefix(v, "@") {
			return now.Add(d).Unix()
		}
	case map[string]any:
		members := make(map[string]any, len(v))
		for name, member := range v {
			members[name] = timed(member, now)
		}
		return members
	default:
	}
	return value
}

// Every fixture names its documentation, and has the tokens that the matrix needs.
func TestFixturesAreWhole(t *testing.T) {
	t.Parallel()
	for _, name := range products(t) {
		f := readFixture(t, name)
		if len(f.Documentation) == 0 {
			t.Errorf("%s names no documentation", name)
		}
		for _, source := range f.Documentation {
			if !strings.HasPrefix(source, "https://") {
				t.Errorf("%s: %q is no address of documentation", name, source)
			}
		}
		if _, ok := f.Tokens["workload"]; !ok {
			t.Errorf("%s has no token of a workload", name)
		}
		for kind, token := range f.Tokens {
			if !slices.ContainsFunc(f.Keys, func(key map[string]any) bool { return key["kid"] == token.Header["kid"] }) {
				t.Errorf("%s: no key is called %v, as the %s token says", name, token.Header["kid"], kind)
			}
		}
		if _, err := os.Stat(fmt.Sprintf("%s.yaml", name)); err != nil {
			t.Error(err)
		}
	}
}
