package xdstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const (
	nodeID = "xdstest"
	// addressVariable and folderVariable are the environment variables with the address of the control plane and the
	// folder of its certificates, for the process that runs the tests.
	addressVariable = "XDSTEST_ADDRESS"
	folderVariable  = "XDSTEST_CERTIFICATES"
)

// Main runs the tests of a package in a separate process, whose environment has the bootstrap for the control planes of
// [Start]. It returns the exit status.
func Main(m *testing.M) int {
	if os.Getenv(addressVariable) != "" {
		return m.Run()
	}
	folder, err := os.MkdirTemp("", "xdstest-")
	if err != nil {
		return failed(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	address, err := freeAddress()
	if err != nil {
		return failed(err)
	}
	bootstrap, err := json.Marshal(bootstrapFor(address, folder))
	if err != nil {
		return failed(err)
	}
	tests := exec.Command(os.Args[0], os.Args[1:]...) //nolint:gosec,noctx // the tests, which have their own limit
	tests.Stdin, tests.Stdout, tests.Stderr = os.Stdin, os.Stdout, os.Stderr
	tests.Env = append(
		os.Environ(),
		"GRPC_XDS_BOOTSTRAP=",
		"GRPC_XDS_BOOTSTRAP_CONFIG="+string(bootstrap),
		addressVariable+"="+address,
		folderVariable+"="+folder,
	)
	err = tests.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return failed(err)
	}
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "xdstest:", err)
	return 1
}

// freeAddress returns an unused address of this machine.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// bootstrapFor returns the bootstrap for gRPC (gRFCs A27, A29, A36).
func bootstrapFor(address, folder string) any {
	type object = map[string]any
	return object{
		"xds_servers": []any{object{
			"server_uri": address, "channel_creds": []any{object{"type": "insecure"}}, "server_features": []string{"xds_v3"},
		}},
		"node":                                   object{"id": nodeID},
		"server_listener_resource_name_template": listenerPrefix + "%s",
		"certificate_providers": object{CertificateProvider: object{
			"plugin_name": "file_watcher",
			"config": object{
				"certificate_file":    filepath.Join(folder, "cert.pem"),
				"private_key_file":    filepath.Join(folder, "key.pem"),
				"ca_certificate_file": filepath.Join(folder, "ca.pem"),
				"refresh_interval":    "0.1s",
			},
		}},
	}
}
