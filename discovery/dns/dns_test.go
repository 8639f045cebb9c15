package dns_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery/dns"
	"github.com/parley-rpc/parley/discovery/driver"
)

// resolve returns the first list that the driver emits for payments, one line for each instance.
func resolve(t *testing.T, d *dns.Driver) ([]string, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines := []string{}
	err := d.Watch(ctx, "payments", func(list []driver.Instance) {
		for _, in := range list {
			lines = append(lines, fmt.Sprintf("%s %v weight %d", in.ID, in.Addresses, in.Weight))
		}
		cancel()
	})
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return lines, err
}

func TestNames(t *testing.T) {
	z := newZone()
	z.host("payments", "10.0.0.1")
	z.host("payments.example.com", "10.0.0.3", "2001:db8::2", "::ffff:10.0.0.2", "10.0.0.3")
	z.host("pay.example.org", "10.0.0.9")
	z.host("a.example.com", "10.0.0.4", "2001:db8::4")
	z.host("b.example.com", "10.0.0.5")
	z.host("backup.example.com", "10.0.0.6")
	z.targets["_grpc._tcp.payments.example.com"] = []*net.SRV{
		{Target: "backup.example.com.", Port: 3, Priority: 2},
		{Target: "a.example.com.", Port: 1, Priority: 1, Weight: 7},
		{Target: "b.example.com.", Port: 2, Priority: 1},
		{Target: "gone.example.com.", Port: 2, Priority: 1},
		{Target: ".", Priority: 1},
	}
	for _, tt := range []struct {
		pattern string
		opts    []dns.Option
		want    []string
		asked   string
	}{
		{"", nil, []string{"10.0.0.1:443 [10.0.0.1:443] weight 0"}, "payments"},
		{
			"{service}.example.com:8443", nil,
			[]string{
				"10.0.0.2:8443 [10.0.0.2:8443] weight 0",
				"10.0.0.3:8443 [10.0.0.3:8443] weight 0",
				"[2001:db8::2]:8443 [[2001:db8::2]:8443] weight 0",
			},
			"payments.example.com",
		},
		{
			"_grpc._tcp.{service}.example.com", nil,
			[]string{
				"a.example.com:1 [10.0.0.4:1 [2001:db8::4]:1] weight 7",
				"b.example.com:2 [10.0.0.5:2] weight 0",
			},
			"SRV _grpc._tcp.payments.example.com",
		},
		{"{service}.example.net:8443", nil, []string{}, "payments.example.net"},
		{"_grpc._tcp.{service}.example.net", nil, []string{}, "SRV _grpc._tcp.payments.example.net"},
		{
			"{service}.example.com:8443",
			[]dns.Option{dns.WithName("payments", "pay.example.org:1"), dns.WithName("orders", "x:1")},
			[]string{"10.0.0.9:1 [10.0.0.9:1] weight 0"},
			"pay.example.org",
		},
	} {
		t.Run(tt.pattern, func(t *testing.T) {
			z.asked = nil
			d, err := dns.New(tt.pattern, append(tt.opts, dns.WithLookup(z))...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := resolve(t, d)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
			if z.asked[0] != tt.asked {
				t.Errorf("asked for %q; want %q", z.asked[0], tt.asked)
			}
		})
	}
}

func TestMistakesAreNamedTogether(t *testing.T) {
	_, err := dns.New("{service}", dns.WithInterval(0), dns.WithLookup(nil),
		dns.WithName("a/b", "x:1"), dns.WithName("payments", "_grpc.payments"))
	if err == nil {
		t.Fatal("New returns nil")
	}
	for _, want := range []string{
		`dns: pattern "{service}": want host:port`,
		`dns.WithInterval(0s): want more than 0s`,
		`dns.WithLookup(<nil>): want a Lookup`,
		`dns.WithName("a/b", "x:1"): service name "a/b"`,
		`dns.WithName("payments", "_grpc.payments"): want _name._proto.host`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant it to say %s", err, want)
		}
	}
}

func TestOnlyCertaintyIsAnEmptyList(t *testing.T) {
	for _, tt := range []struct {
		name    string
		failure error
		empty   bool
	}{
		{"no such host", &net.DNSError{IsNotFound: true}, true},
		{"timeout", &net.DNSError{IsTimeout: true}, false},
		{"timeout that calls itself not found", &net.DNSError{IsNotFound: true, IsTimeout: true}, false},
		{"server failure", &net.DNSError{IsNotFound: true, IsTemporary: true}, false},
		{"anything else", errors.New("no route to host"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := newZone()
			z.fail(tt.failure)
			for _, pattern := range []string{"{service}:1", "_grpc._tcp.{service}"} {
				d, err := dns.New(pattern, dns.WithLookup(z))
				if err != nil {
					t.Fatal(err)
				}
				got, err := resolve(t, d)
				if len(got) != 0 || (err == nil) != tt.empty {
					t.Errorf("%s: got %v, %v; want an empty list: %v", pattern, got, err, tt.empty)
				}
				if err != nil && !errors.Is(err, tt.failure) {
					t.Errorf("%s: %v does not wrap %v", pattern, err, tt.failure)
				}
			}
		})
	}
}

func TestNamesAreLookedUpAgainWithoutAFailure(t *testing.T) {
	for _, tt := range []struct {
		random float64
		want   time.Duration
	}{{0, 9 * time.Second}, {0.5, 10 * time.Second}, {1, 11 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			z := newZone()
			z.host("payments", "10.0.0.1")
			d, err := dns.New("", dns.WithLookup(z), dns.WithRandom(func() float64 { return tt.random }))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			began, emissions := time.Now(), 0
			err = d.Watch(ctx, "payments", func(list []driver.Instance) {
				if emissions++; emissions == 1 {
					z.host("payments", "10.0.0.1", "10.0.0.2")
					return
				}
				if len(list) != 2 || time.Since(began) != tt.want {
					t.Errorf("after %v: %+v; want both instances after %v", time.Since(began), list, tt.want)
				}
				cancel()
			})
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

// stuck is a DNS server that does not answer.
type stuck struct{}

func (stuck) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (stuck) LookupSRV(ctx context.Context, _, _, _ string) (string, []*net.SRV, error) {
	<-ctx.Done()
	return "", nil, ctx.Err()
}

func TestLookupsAreBoundedAndEndWithTheDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := dns.New("", dns.WithLookup(stuck{}))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := resolve(t, d); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Errorf("a lookup without an answer: %v after %v; want it to end after 5s", err, time.Since(began))
		}
		time.AfterFunc(time.Second, func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		began = time.Now()
		if _, err := resolve(t, d); err != nil && time.Since(began) != time.Second {
			t.Errorf("a lookup while the driver closes: %v after %v; want it to end after 1s", err, time.Since(began))
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, pattern := range []string{
		"", "{service}:443", "{service}.prod:8443", "_grpc._tcp.{service}.prod", "[::1]:1", "10.0.0.1:1", "_._.x", "a..b:1",
		"x:0", "x:99999",
	} {
		f.Add(pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		z := newZone()
		d, err := dns.New(pattern, dns.WithLookup(z))
		if err != nil {
			return
		}
		if got, err := resolve(t, d); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v; want the name not to exist", pattern, got, err)
		}
		for _, asked := range z.asked {
			if strings.ContainsAny(asked, "{}/\\ \t\n\x00") && !strings.HasPrefix(asked, "SRV _") {
				t.Errorf("%q asks for %q", pattern, asked)
			}
		}
	})
}
