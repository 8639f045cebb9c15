package istio_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/policy/istio"
)

// TestDocumentedRoutes reads the routes of docs/from-istio.md, and compares what it says that they state.
func TestDocumentedRoutes(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/from-istio.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```text\n(.*?)```").FindAllStringSubmatch(string(document), -1)
	block := func(begins string) string {
		for _, b := range blocks {
			if strings.HasPrefix(b[1], begins) {
				return b[1]
			}
		}
		t.Fatalf("no block begins with %q", begins)
		return ""
	}
	layers, _, err := istio.Parse(istio.Workload{Namespace: "shop"}, block("apiVersion: networking.istio.io"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, s := range routesOf(layers).table().Toward("payments.shop.svc.cluster.local:8443").Statements() {
		fmt.Fprintf(&got, "%s: %s (%s)\n", s.Name, s.Value, s.Source)
	}
	if want := block("calls of "); got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
