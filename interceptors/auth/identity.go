package auth

import (
	"log/slog"
	"slices"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// Identity is one workload: its ID, its key, and its trust, which binds keys to IDs. It makes the credentials of
// clients and servers, and is safe for concurrent use. Make one with [TrustDir] or [Issued], and [Identity.Close] it
// when its clients and servers are gone.
//
// A key file that is replaced is noticed within 2 seconds. Once it is vouched for, the new key makes all proofs and
// tokens from then on; until then, and when the file makes no sense, the old key stays in use and the log says why.
type Identity struct{ *workload }

// TrustDir returns the identity of the workload self, whose key lies in a file and whose trust is the directory dir:
//
//	<dir>/trust/<trust domain>/<service>.<thumbprint>.json   the public key of a workload
//	<dir>/revoked/<thumbprint>                               a key that is not to be trusted, whatever else lies there
//	<dir>/keys/<trust domain>/<service>.jwk                  the private key, unless WithKeyFile names another place
//
// A process that can write to the directory can become any service. The directory and its ancestors must therefore
// belong to root or to the user of this process, and must not be writable by others. It is read again every 2 seconds:
// a key that disappears is no longer trusted, and connections of its owner end.
//
// TrustDir does no I/O. [Identity.Check] does; without it the first connection does, and is refused if anything is
// wrong.
func TrustDir(dir string, self principal.ID, opts ...Option) *Identity {
	i := newIdentity(self, directory{dir}, opts)
	if i.config.keyFile == "" {
		i.config.keyFile = keyFile(dir, self)
	}
	i.configErr = i.checkArguments()
	return i
}

// Issued returns the identity of the workload self that issuers vouch for. It proves itself with its own private key,
// which lies in a file ([WithKeyFile]) or stays with a signer ([WithSigner]), and a workload identity token: a JWT of
// type wit+jwt with sub = self, cnf.jwk = the public half of that key, exp at most an hour after iat, and no aud.
// Identity is where such tokens come from, usually [tokens.File]; it is asked without an audience.
//
// It believes those workloads that prove themselves in the same way, by the keys of the issuer of their trust domain.
// One of the issuers must vouch for the own trust domain; workloads of the others are accepted too.
//
// Key and token may be replaced while the program runs, each by itself: a pair that fits is used for all handshakes
// from then on. A connection ends with the first of the two identity tokens behind it, and is made anew before. Without
// a valid token, handshakes fail with TOKEN_SOURCE_UNAVAILABLE. While an issuer's keys are not available, they fail
// with KEYS_UNAVAILABLE.
//
// Issued does no I/O; see [Identity.Check]. [Identity.Ready] waits for the keys of the issuers.
func Issued(self principal.ID, identity tokens.Source, issuers []IdentityIssuer, opts ...Option) *Identity {
	_, theirs := identity.(*tokens.Keeper)
	i := newIdentity(self, &issued{source: identity, tokens: tokens.Keep(identity), own: !theirs, list: slices.Clone(issuers)}, opts)
	for _, issuer := range issuers {
		i.config.domains = append(i.config.domains, issuer.Domains...)
	}
	i.configErr = i.checkArguments()
	return i
}

func newIdentity(self principal.ID, k kind, opts []Option) *Identity {
	i := &Identity{&workload{
		self: self, kind: k,
		refused: newRefusals(),
		config:  config{algorithm: jose.EdDSA, logger: slog.New(warnings{slog.Default().Handler()}), connectionAge: maxConnectionAge},
	}}
	for _, o := range opts {
		if o != nil {
			o.apply(&i.config)
			i.options = append(i.options, o.String())
		}
	}
	i.audiences = []string{self.String()}
	i.sessions.Ended = i.auditEnd
	i.log = i.config.logger.With(slog.String("self", self.String()))
	return i
}

// DialOptions returns the options of one grpc.ClientConn whose servers must prove one of the expected IDs in connection
// mode. They belong behind those of other interceptors, because auth is the innermost one. To use token mode, or to
// check the configuration before the first call, make a [Channel] with [Identity.Channel].
func (i *Identity) DialOptions(expected ...principal.Pattern) []grpc.DialOption {
	return i.Channel(expected).DialOptions()
}

// Channel returns the client's side of one grpc.ClientConn: connections to servers that prove one of the expected IDs.
// Without any, Check and every call return an error. See [WithMode] for the options.
func (i *Identity) Channel(expected []principal.Pattern, opts ...ChannelOption) *Channel {
	return newChannel(i.workload, expected, opts)
}

// Server returns a server's side, which authorizes callers by the policies of t. A nil t means policy.FromProto().
func (i *Identity) Server(t *policy.Table, opts ...ServerOption) *Gate {
	g := newGate(i.workload, t, opts)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.servers = append(i.servers, g)
	if i.closed {
		g.close()
	}
	return g
}

// ServerOptions returns the options of one grpc.Server, as [Gate.ServerOptions] of a new [Gate] does.
func (i *Identity) ServerOptions(t *policy.Table, opts ...ServerOption) []grpc.ServerOption {
	return i.Server(t, opts...).ServerOptions()
}

// Enroll makes the key of the workload id, if there is none, and publishes it in the trust directory dir, which it
// makes if it is missing. It is for the operator, and for programs that set up others before they start; a service that
// does it for itself uses [WithEnroll]. Of the options only [WithKeyFile], [WithSigner], [WithES256] and [WithLogger]
// play a part. To enroll a workload again is no error.
func Enroll(dir string, id principal.ID, opts ...Option) error {
	i := TrustDir(dir, id, opts...)
	if i.configErr != nil {
		return i.configErr
	}
	key, err := i.loadOrCreateKey()
	if err != nil {
		return err
	}
	return openDirectory(dir, i.workload).Publish(id.String(), key.Public())
}
