package principal

import (
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/internal/quote"
)

// Scheme begins every ID.
const Scheme = "spiffe://"

// TrustDomain is the name of a set of workloads that one anchor of trust vouches for, such as "shop.example". It cannot
// be invalid; the zero value is "no trust domain". It is comparable.
type TrustDomain struct{ name string }

// ParseTrustDomain reads a trust domain: lowercase letters, digits, "-" and "_" in labels that are separated by single
// dots, at most 255 bytes.
func ParseTrustDomain(s string) (TrustDomain, error) {
	if err := checkDomain(s); err != nil {
		return TrustDomain{}, fmt.Errorf("principal: trust domain %s: %w", quote.Text(s), err)
	}
	return TrustDomain{name: s}, nil
}

// ID names a workload of the trust domain: service "payments" of shop.example is spiffe://shop.example/payments. A
// service may have several segments ("ns/pay/api").
func (d TrustDomain) ID(service string) (ID, error) {
	return ParseID(Scheme + d.name + "/" + service)
}

// Pattern matches every workload of the trust domain.
func (d TrustDomain) Pattern() Pattern { return d.within("") }

// String is the name, and "" for the zero value.
func (d TrustDomain) String() string { return d.name }

// IsZero reports whether d is "no trust domain".
func (d TrustDomain) IsZero() bool { return d.name == "" }

func (d TrustDomain) within(path string) Pattern {
	return subtree{domain: d, prefix: Scheme + d.name + "/" + path}
}

func checkDomain(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("it is empty; write a name such as shop.example")
	case len(s) > maxDomainLength:
		return fmt.Errorf("it is longer than %d bytes", maxDomainLength)
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" {
			return fmt.Errorf("it has an empty label; write labels separated by single dots")
		}
	}
	for i := range len(s) {
		if c := s[i]; !isLower(c) && !isDigit(c) && c != '.' && c != '-' && c != '_' {
			return fmt.Errorf("byte %d is not one of a-z 0-9 . - _", i)
		}
	}
	return nil
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
