package driver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Instance is one running server of a service. Its JSON form is what drivers write into engines that hold text; see
// [Parse].
type Instance struct {
	// ID is unique among the instances of a service. It has no slash, no space and no control character.
	ID string `json:"id"`
	// Service is what the instance serves. See [CheckService].
	Service string `json:"service"`
	// Addresses are the addresses of the one server, host:port each. Several addresses, such as IPv4 and IPv6, lead to the
	// same server.
	Addresses []string `json:"addresses"`
	// Zone is the operator's name of the place where the instance runs, or "".
	Zone string `json:"zone,omitempty"`
	// Weight is its share of the load in proportion to others. 0 means 1.
	Weight uint32 `json:"weight,omitempty"`
	// Draining reports whether the instance is about to leave and wants no new calls.
	Draining bool `json:"draining,omitempty"`
	// Version is the version of the program, or "".
	Version string `json:"version,omitempty"`
	// Metadata is anything else. It is shown and passed on, never interpreted, and never says who the instance is:
	// identities come only from local configuration.
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

// Check returns the mistake that keeps the instance from being announced: a bad service name, a missing or bad ID, no
// address.
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
			"instance %q of %q: it has no address, or an empty one; give the host:port that others reach it at",
			in.ID,
			in.Service,
		)
	}
	return nil
}

// CheckService returns the mistake in a service name. Good names consist of ASCII letters, digits, dots, underscores
// and hyphens, which every engine can carry.
func CheckService(name string) error {
	bad := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}
	if strings.Trim(name, ".") == "" || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("service name %q: want letters, digits, dots, underscores and hyphens", name)
	}
	return nil
}
