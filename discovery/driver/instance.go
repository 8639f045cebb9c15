package driver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Instance is one running server of a service. Drivers of engines that store text write it in JSON; see [Parse].
type Instance struct {
	// ID is unique among the instances of a service. It must not contain slashes, spaces and control characters.
	ID string `json:"id"`
	// Service is the name of the service. See [CheckService].
	Service string `json:"service"`
	// Addresses are the addresses of the server, each host:port. All addresses, such as an IPv4 and an IPv6 address, lead
	// to the same server.
	Addresses []string `json:"addresses"`
	// Zone is the zone in which the instance runs, or "".
	Zone string `json:"zone,omitempty"`
	// Weight is the weight of the instance, relative to other instances. 0 means 1.
	Weight uint32 `json:"weight,omitempty"`
	// Draining reports whether the instance is stopping and must not get new calls.
	Draining bool `json:"draining,omitempty"`
	// Version is the version of the program, or "".
	Version string `json:"version,omitempty"`
	// Metadata is any further data. It is displayed and passed on, and never interpreted. It never states the identity of
	// the instance, because identities come only from local configuration.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Equal reports whether two instances are equal in every field.
func (in Instance) Equal(other Instance) bool {
	return in.ID == other.ID && in.Service == other.Service && in.Zone == other.Zone && in.Weight == other.Weight &&
		in.Draining == other.Draining && in.Version == other.Version &&
		slices.Equal(in.Addresses, other.Addresses) && maps.Equal(in.Metadata, other.Metadata)
}

// Clone returns a copy that shares nothing with in.
func (in Instance) Clone() Instance {
	in.Addresses = slices.Clone(in.Addresses)
	in.Metadata = maps.Clone(in.Metadata)
	return in
}

// Check returns the mistake because of which the instance cannot be announced: a bad service name, a missing or bad ID,
// or a missing address.
func (in Instance) Check() error {
	if err := CheckService(in.Service); err != nil {
		return err
	}
	if in.ID == "" ||
		strings.ContainsFunc(in.ID, func(r rune) bool { return r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return fmt.Errorf(
			"instance of %q: ID %q: want a non-empty text without slashes, spaces and control characters",
			in.Service,
			in.ID,
		)
	}
	if len(in.Addresses) == 0 || slices.Contains(in.Addresses, "") {
		return fmt.Errorf(
			"instance %q of %q: it has no address, or an empty one; set the host:port at which clients reach it",
			in.ID,
			in.Service,
		)
	}
	return nil
}

// CheckService returns the mistake in a service name, or nil. A valid name consists of ASCII letters, digits, dots,
// underscores and hyphens, which every engine supports.
func CheckService(name string) error {
	bad := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}
	if strings.Trim(name, ".") == "" || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("service name %q: want letters, digits, dots, underscores and hyphens", name)
	}
	return nil
}
