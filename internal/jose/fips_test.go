package jose_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestFIPS runs all tests of this package again in a process that allows nothing but FIPS 140-3 cryptography.
func TestFIPS(t *testing.T) {
	if fips140.Enforced() {
		return // this is that process
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.shuffle=on")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if text := string(out); !strings.Contains(text, "--- PASS: TestFIPS") || strings.Contains(text, "--- SKIP") {
		t.Errorf("not every test ran:\n%s", out)
	}
}
