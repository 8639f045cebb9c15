package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// ends are what both ends of a plain gRPC stack get besides TLS.
type ends struct {
	dial   []grpc.DialOption
	serve  []grpc.ServerOption
	secure bool         // brings credentials of its own
	close  func() error // nil: nothing to close
}

// onGRPC makes a stack of plain grpc-go with TLS and what add brings.
func onGRPC(add func(context.Context) (ends, error)) func(context.Context) (*stack, error) {
	return func(ctx context.Context) (*stack, error) {
		e, err := add(ctx)
		if err != nil {
			return nil, err
		}
		if !e.secure {
			cert, roots, err := certificate()
			if err != nil {
				return nil, err
			}
			e.serve = append(e.serve, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
			e.dial = append(
				e.dial,
				grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13})),
			)
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		server := grpc.NewServer(e.serve...)
		paymentsv1.RegisterPaymentsServiceServer(server, handler{})
		go func() { _ = server.Serve(l) }()
		conn, err := grpc.NewClient(l.Addr().String(), e.dial...)
		if err != nil {
			return nil, err
		}
		return &stack{client: paymentsv1.NewPaymentsServiceClient(conn), close: func() error {
			err := conn.Close()
			server.Stop()
			if e.close != nil {
				err = errors.Join(err, e.close())
			}
			return err
		}}, nil
	}
}

func nothing(context.Context) (ends, error) { return ends{}, nil }

func traceContext(context.Context) (ends, error) {
	return ends{dial: []grpc.DialOption{grpc.WithUnaryInterceptor(sendTraceContext)}}, nil
}

// sendTraceContext sends what every traced call sends, sampled or not: an ID of its own. HPACK cannot compress it, and
// it drives other headers out of the tables of both ends.
func sendTraceContext(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	var ids [24]byte
	_, _ = rand.Read(ids[:]) // never fails
	text := make([]byte, 0, 55)
	text = append(text, "00-"...)
	text = hex.AppendEncode(text, ids[:16])
	text = append(text, '-')
	text = hex.AppendEncode(text, ids[16:])
	text = append(text, "-00"...)
	return invoker(metadata.AppendToOutgoingContext(ctx, "traceparent", string(text)), method, req, reply, cc, opts...)
}

func certificate() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots, nil
}

// certificateFiles writes a certificate and its key.
func certificateFiles(dir string) (cert, key string, err error) {
	made, _, err := certificate()
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	return cert, key, errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate[0]}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}
