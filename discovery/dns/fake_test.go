package dns_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zone is a DNS server in memory.
type zone struct {
	mu      sync.Mutex
	failure error
	hosts   map[string][]netip.Addr
	targets map[string][]*net.SRV
	asked   []string
}

func newZone() *zone {
	return &zone{hosts: make(map[string][]netip.Addr), targets: make(map[string][]*net.SRV)}
}

// fail makes every lookup fail, until it is called with nil.
func (z *zone) fail(err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.failure = err
}

func (z *zone) host(name string, addresses ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.hosts[name] = nil
	for _, addr := range addresses {
		z.hosts[name] = append(z.hosts[name], netip.MustParseAddr(addr))
	}
}

func (z *zone) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked = append(z.asked, host)
	if err := z.refuse(ctx); err != nil {
		return nil, err
	}
	if len(z.hosts[host]) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return z.hosts[host], nil
}

func (z *zone) LookupSRV(ctx context.Context, _, _, name string) (string, []*net.SRV, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked = append(z.asked, "SRV "+name)
	if err := z.refuse(ctx); err != nil {
		return "", nil, err
	}
	if len(z.targets[name]) == 0 {
		return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return name, z.targets[name], nil
}

func (z *zone) refuse(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return z.failure
}
