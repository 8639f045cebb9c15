package consul

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/parley-rpc/parley/discovery/driver"
)

// The keys of the metadata of a service. Consul accepts 64 values of 512 characters, and keys of letters, digits,
// hyphens and underscores, so an instance is split into several values.
const (
	metaID        = "parley-id"        // a hash of the ID, for queries
	metaAnnounced = "parley-announced" // the time of the announcement, in nanoseconds since 1970
	metaPart      = "parley-"          // followed by a number: a part of the instance, JSON in base64url

	partSize  = 512
	partsMost = 60
)

// registration returns the registration of an instance under an ID that only this lease uses.
func registration(
	id string,
	in driver.Instance,
	announced time.Time,
	ttl time.Duration,
) (*api.AgentServiceRegistration, error) {
	text, err := in.Text()
	if err != nil {
		return nil, err
	}
	meta := map[string]string{metaID: hash(in.ID), metaAnnounced: strconv.FormatInt(announced.UnixNano(), 10)}
	rest := base64.RawURLEncoding.EncodeToString(text)
	for n := 0; rest != ""; n++ {
		if n == partsMost {
			return nil, fmt.Errorf(
				"instance %q of %q has %d bytes of JSON; Consul takes %d: shorten its metadata",
				in.ID,
				in.Service,
				len(text),
				partsMost*partSize*3/4,
			)
		}
		size := min(len(rest), partSize)
		meta[metaPart+strconv.Itoa(n)], rest = rest[:size], rest[size:]
	}
	r := &api.AgentServiceRegistration{
		ID: id, Name: in.Service, Meta: meta,
		Weights: &api.AgentWeights{Passing: int(max(in.Weight, 1)), Warning: 1},
		Check: &api.AgentServiceCheck{
			CheckID: id, Name: "renewed by the instance", Status: api.HealthPassing,
			TTL: ttl.String(), DeregisterCriticalServiceAfter: max(litterAge, 2*ttl).String(),
		},
	}
	if host, port, err := net.SplitHostPort(in.Addresses[0]); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			r.Address, r.Port = host, int(n)
		}
	}
	return r, nil
}

func hash(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// sameID returns a filter for the services of an agent that are entries of the same instance ID.
func sameID(in driver.Instance) string {
	return fmt.Sprintf("Service == %q and Meta[%q] == %q", in.Service, metaID, hash(in.ID))
}

// instances reads the entries that Consul lists. If several entries have the same ID, the one that was announced last
// is used.
func instances(service string, entries []*api.ServiceEntry) []driver.Instance {
	list := make([]driver.Instance, 0, len(entries))
	at := make(map[string]int, len(entries))
	latest := make(map[string]int64, len(entries))
	for _, e := range entries {
		in, announced, ok := instance(e)
		if !ok || in.Service != service {
			continue
		}
		i, known := at[in.ID]
		switch {
		case !known:
			at[in.ID], latest[in.ID] = len(list), announced
			list = append(list, in)
		case announced > latest[in.ID]:
			list[i], latest[in.ID] = in, announced
		}
	}
	return list
}

// instance reads one entry. The entry may come from this driver or from another program.
func instance(e *api.ServiceEntry) (in driver.Instance, announced int64, ok bool) {
	if e.Service == nil {
		return in, 0, false
	}
	if _, ours := e.Service.Meta[metaPart+"0"]; !ours {
		in = foreign(e)
		return in, 0, in.Check() == nil
	}
	var parts strings.Builder
	for n := range partsMost {
		parts.WriteString(e.Service.Meta[metaPart+strconv.Itoa(n)])
	}
	text, err := base64.RawURLEncoding.DecodeString(parts.String())
	if err != nil {
		return in, 0, false
	}
	in, err = driver.Parse(text)
	if err != nil {
		return in, 0, false
	}
	announced, err = strconv.ParseInt(e.Service.Meta[metaAnnounced], 10, 64)
	return in, announced, err == nil
}

// foreign returns the instance that another program registered, with the fields that Consul has. Its ID is unique only
// on its node.
func foreign(e *api.ServiceEntry) driver.Instance {
	s, node := e.Service, ""
	host := s.Address
	if e.Node != nil {
		node = e.Node.Node + ":"
		host = cmp.Or(host, e.Node.Address)
	}
	if host == "" || s.Port == 0 {
		return driver.Instance{}
	}
	addr := net.JoinHostPort(host, strconv.Itoa(s.Port))
	in := driver.Instance{
		ID: node + s.ID, Service: s.Service, Addresses: []string{addr},
		Zone: s.Meta["zone"], Version: s.Meta["version"], Metadata: s.Meta,
		Weight: uint32(max(s.Weights.Passing, 0)), //nolint:gosec // Consul takes 65535 at most
	}
	if in.Check() != nil {
		in.ID = addr
	}
	return in
}
