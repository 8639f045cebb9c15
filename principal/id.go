package principal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/internal/quote"
)

// ID is the ID of one workload: spiffe://<trust domain>/<service>. It cannot be invalid. The zero value means "no ID"
// and matches no workload. IDs are comparable, and two IDs are the same workload exactly if they are equal, without
// normalization.
//
// An ID is also the [Pattern] that matches itself alone.
type ID struct {
	uri    string
	domain int // length of the trust domain within uri
}

// ParseID reads an ID. The trust domain is as [ParseTrustDomain] has it; the path has at least one segment, each made
// of letters, digits, ".", "_" and "-", none of them "." or "..". There is no trailing slash, percent-encoding, port,
// query or fragment. An ID has at most 2048 bytes.
func ParseID(s string) (ID, error) {
	domain, path, err := splitID(s)
	if err == nil {
		err = checkPath(path)
	}
	if err != nil {
		return ID{}, fmt.Errorf("principal: ID %s: %w", quote.Text(s), err)
	}
	return ID{uri: s, domain: len(domain)}, nil
}

// String is the ID as a URI, and "" for the zero value.
func (id ID) String() string { return id.uri }

// TrustDomain is the trust domain that the ID belongs to.
func (id ID) TrustDomain() TrustDomain {
	if id.IsZero() {
		return TrustDomain{}
	}
	return TrustDomain{name: id.uri[len(Scheme) : len(Scheme)+id.domain]}
}

// Service returns the part after the trust domain, without the slash: "payments", or "ns/pay/api".
func (id ID) Service() string {
	if id.IsZero() {
		return ""
	}
	return id.uri[len(Scheme)+id.domain+1:]
}

// IsZero reports whether id is "no ID".
func (id ID) IsZero() bool { return id.uri == "" }

// Matches reports whether other is the same workload. No ID matches the zero value.
func (id ID) Matches(other ID) bool { return id == other && !id.IsZero() }

// MarshalText writes the ID as a URI, so that logs and JSON show it.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.uri), nil }

// UnmarshalText is like [ParseID], and reads "" as the zero value.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = ID{}
		return nil
	}
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// Overlaps reports whether the pattern matches the workload.
func (id ID) Overlaps(p Pattern) bool { return p.Matches(id) }

func (ID) isPattern() {}

// splitID takes an ID or a pattern apart and checks the trust domain. The path comes without its leading slash.
func splitID(s string) (domain, path string, err error) {
	if len(s) > maxIDLength {
		return "", "", fmt.Errorf("it is longer than %d bytes", maxIDLength)
	}
	rest, ok := strings.CutPrefix(s, Scheme)
	if !ok {
		return "", "", errors.New("it does not begin with " + Scheme)
	}
	domain, path, ok = strings.Cut(rest, "/")
	if !ok {
		return "", "", errors.New("it names no service after the trust domain; write spiffe://<trust domain>/<service>")
	}
	return domain, path, checkDomain(domain)
}

func checkPath(path string) error {
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "":
			return errors.New("it has an empty segment; slashes stand only between segments")
		case ".", "..":
			return errors.New(`it has a segment "." or ".."`)
		}
		for i := range len(segment) {
			c := segment[i]
			if !isLower(c) && !isUpper(c) && !isDigit(c) && c != '.' && c != '-' && c != '_' {
				return fmt.Errorf("segment %s has a byte that is not one of A-Z a-z 0-9 . _ -", quote.Text(segment))
			}
		}
	}
	return nil
}
