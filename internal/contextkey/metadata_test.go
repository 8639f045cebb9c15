package contextkey_test

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/contextkey"
)

// hiding is a context that shows one name.
type hiding struct{ context.Context }

func (h hiding) Value(key any) any {
	if key == (contextkey.HidingKey{}) {
		return h
	}
	return h.Context.Value(key)
}

func (hiding) Received(name string) []string { return []string{"shown " + name} }

// Metadata is found without a copy, and what a context hides stays hidden.
func TestMetadata(t *testing.T) {
	m := contextkey.NewMetadata()
	ctx := metadata.NewIncomingContext(t.Context(), metadata.MD{"x-tenant": {"a", "b"}})
	for name, of := range map[string]contextkey.Metadata{"found": m, "not found": {}} {
		if got := of.Received(ctx, "x-tenant"); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("key %s: got %q", name, got)
		}
		if got := of.Received(ctx, "x-other"); len(got) > 0 {
			t.Errorf("key %s: got %q", name, got)
		}
		if got := of.Received(t.Context(), "x-tenant"); len(got) > 0 {
			t.Errorf("key %s: got %q without metadata", name, got)
		}
		if got := of.Received(hiding{ctx}, "x-tenant"); !slices.Equal(got, []string{"shown x-tenant"}) {
			t.Errorf("key %s: got %q of a context that hides", name, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { m.Received(ctx, "x-tenant") }); n > 0 {
		t.Errorf("a look-up allocates %v times", n)
	}
}
