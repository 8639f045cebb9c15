package xdstest

import (
	"os"
	"path/filepath"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
)

// CertificateProvider is the name of the certificates of [ControlPlane.WriteCertificates] in the bootstrap.
const CertificateProvider = "files"

// WriteCertificates writes the certificate and the key of this process, and the authorities that it trusts, as PEM.
func (p *ControlPlane) WriteCertificates(cert, key, authorities []byte) {
	p.t.Helper()
	folder := os.Getenv(folderVariable)
	for name, content := range map[string][]byte{"cert.pem": cert, "key.pem": key, "ca.pem": authorities} {
		if err := os.WriteFile( //nolint:gosec // Main has made the folder
			filepath.Join(folder, name), content, 0o600,
		); err != nil {
			p.t.Fatal(err)
		}
	}
}

// ServerTLS returns the transport socket of a listener that uses the certificates.
func ServerTLS(t testing.TB) *corev3.TransportSocket {
	t.Helper()
	return transportSocket(t, &tlsv3.DownstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		TlsCertificateProviderInstance: &tlsv3.CertificateProviderPluginInstance{InstanceName: CertificateProvider},
	}})
}

// ClientTLS returns the transport socket of a cluster whose servers use the certificates.
func ClientTLS(t testing.TB) *corev3.TransportSocket {
	t.Helper()
	return transportSocket(t, &tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{
			ValidationContext: &tlsv3.CertificateValidationContext{
				CaCertificateProviderInstance: &tlsv3.CertificateProviderPluginInstance{InstanceName: CertificateProvider},
			},
		},
	}})
}

func transportSocket(t testing.TB, context proto.Message) *corev3.TransportSocket {
	t.Helper()
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(t, context)},
	}
}
