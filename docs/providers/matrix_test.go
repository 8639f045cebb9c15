package providers_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// row is what came out for one product.
type row struct {
	product string
	cells   map[string]*cell // by the name of the door
}

// cell is what came out at one door for one product.
type cell struct {
	accepted bool
	refused  map[string]bool // by the name of the forgery that was tried
}

// doorNames are the columns of the matrix.
func doorNames() []string { return []string{userDoor, exchangeDoor, workloadDoor} }

// Every product's tokens are taken at every door that they are for, with provider: and two or three lines beside it,
// and each of their forgeries is refused. The tables of docs/providers.md are what this test found.
func TestMatrix(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	names := products(t)
	rows := make([]row, len(names))
	t.Run("product", func(t *testing.T) {
		for n, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { rows[n] = tryProduct(t, newProduct(t, name, ring)) })
			})
		}
	})
	documents(t, map[string]string{"matrix": matrix(rows), "forgeries": tried(rows)})
}

func tryProduct(t *testing.T, p *product) row {
	t.Helper()
	// Two shops, because the orders that a foreign token names must not be one that has a key of its own.
	var doors []door
	open := func() *shop {
		s := newShop(t)
		s.start(p, p.name+".yaml")
		return s
	}
	if p.config(t).GetServers() != nil {
		doors = append(doors, open().workloadDoor())
	}
	if _, ok := p.Tokens["user"]; ok {
		doors = append(doors, open().userDoor(), loginDoor(t, p))
	}
	r := row{p.name, map[string]*cell{}}
	for _, d := range doors {
		r.cells[d.name] = tryDoor(t, p, d)
	}
	return r
}

func tryDoor(t *testing.T, p *product, d door) *cell {
	t.Helper()
	c := &cell{refused: map[string]bool{}}
	want := seen{p.Expect.Subject, p.Expect.Scopes}
	if d.kind == "workload" {
		want = seen{principal: "spiffe://shop.example/orders"}
	}
	got, err := d.knock(p.forge(t, p.Tokens[d.kind]).token())
	switch {
	case err != nil:
		t.Errorf("%s: %v", d.name, err)
	case got.principal != want.principal || !slices.Equal(got.scopes, want.scopes):
		t.Errorf(
			"%s: was taken for %q with the scopes %q, want %q with %q",
			d.name,
			got.principal,
			got.scopes,
			want.principal,
			want.scopes,
		)
	default:
		c.accepted = true
	}
	for _, f := range forgeries() {
		if f.of != nil && !f.of(p) || f.door != "" && f.door != d.name {
			continue
		}
		kind := d.kind
		if f.kind != "" {
			kind = f.kind
		}
		_, err := d.knock(f.make(p.forge(t, p.Tokens[kind])))
		c.refused[f.name] = errors.Is(err, errRefused)
		if !c.refused[f.name] {
			t.Errorf("%s: %s: %v, want that it is refused", d.name, f.name, err)
		}
	}
	return c
}

// matrix is the table of products.
func matrix(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| `provider` | %s | forgeries refused |\n|---|---|---|---|---|\n", strings.Join(doorNames(), " | "))
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s |", r.product)
		refused, all := 0, 0
		for _, name := range doorNames() {
			c := r.cells[name]
			switch {
			case c == nil:
				b.WriteString(" – |")
				continue
			case c.accepted:
				b.WriteString(" taken |")
			default:
				b.WriteString(" refused |")
			}
			for _, held := range c.refused {
				all++
				if held {
					refused++
				}
			}
		}
		fmt.Fprintf(&b, " %d of %d |\n", refused, all)
	}
	return b.String()
}

// tried is the table of forgeries.
func tried(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| forgery | %s |\n|---|---|---|---|\n", strings.Join(doorNames(), " | "))
	for _, f := range forgeries() {
		fmt.Fprintf(&b, "| %s |", f.name)
		for _, name := range doorNames() {
			refused, all := 0, 0
			for _, r := range rows {
				if r.cells[name] == nil {
					continue
				}
				if held, was := r.cells[name].refused[f.name]; was {
					all++
					if held {
						refused++
					}
				}
			}
			if all == 0 {
				b.WriteString(" |")
				continue
			}
			fmt.Fprintf(&b, " %d of %d refused |", refused, all)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
