package auth

import (
	"crypto/x509"
	"fmt"

	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/policy"
)

// Mode is the set of carriers that a channel offers to a server. A channel never uses another carrier.
type Mode int

// The modes of a channel.
const (
	// ModeRequire is connection mode or no connection.
	ModeRequire Mode = iota
	// ModePrefer is connection mode where the server agrees to it, else token mode. Whoever can make a client believe
	// that the server speaks plain HTTP/2 only gets it to use token mode, so it is exactly as strong as that.
	ModePrefer
	// ModeToken is plain HTTP/2 with a bearer token in every call and a proof of the server in every answer. It passes
	// through proxies that end TLS. What protects a request on its way is the verified TLS name alone.
	ModeToken
)

// String is the mode as a configuration file writes it.
func (m Mode) String() string {
	switch m {
	case ModeRequire:
		return "require"
	case ModePrefer:
		return "prefer"
	case ModeToken:
		return "token"
	default:
		return "invalid mode"
	}
}

// ChannelOption configures how a client proves its identity and what it requires of a server. Its String method returns
// the Go expression that made it.
type ChannelOption interface {
	fmt.Stringer
	applyChannel(*channelConfig)
}

type channelConfig struct {
	mode       Mode
	roots      *x509.CertPool
	serverName string
	source     tokens.Source
	managed    ManagedTLS
	table      *policy.Table
}

type channelOption struct {
	text string
	set  func(*channelConfig)
}

func (o channelOption) String() string                { return o.text }
func (o channelOption) applyChannel(c *channelConfig) { o.set(c) }

// WithMode sets the mode of a channel. The default is [ModeRequire].
func WithMode(m Mode) ChannelOption {
	return channelOption{fmt.Sprintf("auth.WithMode(%v)", m), func(c *channelConfig) { c.mode = m }}
}

// WithRoots sets the certificate authorities that verify the TLS name of a server in token mode. The default is the
// certificate authorities of the system.
func WithRoots(roots *x509.CertPool) ChannelOption {
	return channelOption{"auth.WithRoots", func(c *channelConfig) { c.roots = roots }}
}

// WithServerName sets the name that the TLS certificate of a server must carry in token mode. The default is the host
// of the target.
func WithServerName(name string) ChannelOption {
	return channelOption{fmt.Sprintf("auth.WithServerName(%q)", name), func(c *channelConfig) { c.serverName = name }}
}

// WithTokenSource sets the source of the tokens for token mode. By default the workload signs them with its own key,
// which works with servers that trust that key. The option prints the source if that is a [fmt.Stringer].
func WithTokenSource(s tokens.Source) ChannelOption {
	text := "auth.WithTokenSource"
	if named, ok := s.(fmt.Stringer); ok {
		text += "(" + named.String() + ")"
	}
	return channelOption{text, func(c *channelConfig) { c.source = s }}
}

// WithProofPolicy takes the level of proof of each method from t in token mode. The default is policy.FromProto().
func WithProofPolicy(t *policy.Table) ChannelOption {
	return channelOption{"auth.WithProofPolicy", func(c *channelConfig) { c.table = t }}
}

// WithManagedTLS lets m configure the TLS of a channel in token mode. M then chooses the certificate authorities for
// the server. The name stays the channel's: the certificate must carry the name of [WithServerName], which may be a
// SPIFFE ID here, or the host of the target, or an expected ID.
func WithManagedTLS(m ManagedTLS) ChannelOption {
	return channelOption{"auth.WithManagedTLS", func(c *channelConfig) { c.managed = m }}
}
