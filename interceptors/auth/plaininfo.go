package auth

import (
	"crypto/tls"
	"sync"

	"google.golang.org/grpc/credentials"
)

// plainInfo is the credentials.AuthInfo of a connection of plain HTTP/2, as its server sees it: nothing is proven by it.
type plainInfo struct {
	credentials.TLSInfo
	known func() // gives the connection's place among those of strangers back; may be called more than once
}

func newPlainInfo(state *tls.ConnectionState, known func()) *plainInfo {
	return &plainInfo{
		TLSInfo: credentials.TLSInfo{
			State:          *state,
			CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		},
		known: sync.OnceFunc(known),
	}
}
