package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-rpc/parley/discovery/driver"
)

// resolve looks a service up once. Closing the driver ends the lookup.
func (d *Driver) resolve(ctx context.Context, service string, q query) ([]driver.Instance, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	defer context.AfterFunc(d.life, cancel)()
	if d.life.Err() != nil {
		return nil, errClosed
	}
	if q.srv() {
		return d.resolveSRV(ctx, service, q.host)
	}
	addresses, err := d.addresses(ctx, q.host, q.port)
	if err != nil {
		return nil, err
	}
	list := make([]driver.Instance, 0, len(addresses))
	for _, addr := range addresses {
		list = append(list, driver.Instance{ID: addr, Service: service, Addresses: []string{addr}})
	}
	return list, nil
}

// resolveSRV lists the targets with the best priority. Each target is one instance, with all its addresses.
func (d *Driver) resolveSRV(ctx context.Context, service, name string) ([]driver.Instance, error) {
	_, records, err := d.lookup.LookupSRV(ctx, "", "", name)
	if err != nil {
		return nil, unlessNotFound(name, err)
	}
	best := bestPriority(records)
	list := make([]driver.Instance, 0, len(best))
	for _, record := range best {
		host, port := strings.TrimSuffix(record.Target, "."), strconv.Itoa(int(record.Port))
		if host == "" {
			continue // the target "." says that the service is not here (RFC 2782)
		}
		addresses, err := d.addresses(ctx, host, port)
		if err != nil {
			return nil, err
		}
		if len(addresses) > 0 {
			list = append(
				list,
				driver.Instance{
					ID:        net.JoinHostPort(host, port),
					Service:   service,
					Addresses: addresses,
					Weight:    uint32(record.Weight),
				},
			)
		}
	}
	return list, nil
}

// bestPriority returns the records with the lowest priority value, which is the best one.
func bestPriority(records []*net.SRV) []*net.SRV {
	if len(records) == 0 {
		return nil
	}
	best := slices.MinFunc(records, func(a, b *net.SRV) int { return int(a.Priority) - int(b.Priority) }).Priority
	return slices.DeleteFunc(slices.Clone(records), func(r *net.SRV) bool { return r.Priority != best })
}

// addresses returns host:port for every address of host, sorted. It returns none if the name does not exist.
func (d *Driver) addresses(ctx context.Context, host, port string) ([]string, error) {
	ips, err := d.lookup.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, unlessNotFound(host, err)
	}
	addresses := make([]string, 0, len(ips))
	for _, ip := range ips {
		addresses = append(addresses, net.JoinHostPort(ip.Unmap().String(), port))
	}
	slices.Sort(addresses)
	return slices.Compact(addresses), nil
}

// unlessNotFound returns nil when err is an authoritative answer that the name does not exist, and err otherwise.
func unlessNotFound(name string, err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound && !dns.IsTemporary && !dns.IsTimeout {
		return nil
	}
	return fmt.Errorf("look up %s: %w", name, err)
}
