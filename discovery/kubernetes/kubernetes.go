// Package kubernetes finds instances in the EndpointSlices of Kubernetes.
//
//	driver, err := kubernetes.Open("kubernetes:///shop?port=grpc")
//
// A service is a Service of the same name in the configured namespace; the name <name>.<namespace> selects another
// namespace. An instance is an endpoint of the Service, usually a pod, with its zone. The driver does not register
// instances, because a pod registers by being ready. Endpoints that are not ready are not listed. Endpoints that are
// terminating and still serve are listed as draining.
//
// The program's service account needs the verbs list and watch for endpointslices in the API group discovery.k8s.io.
package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	client "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/internal/engine"
)

// The errors of a Driver. Match them with errors.Is.
const (
	// ErrClosed means that the driver was closed.
	ErrClosed driver.Error = "the driver is closed"
	// ErrWatchEnded means that the API server ended a watch early.
	ErrWatchEnded driver.Error = "the API server ended the watch"
)

// namespaceFile is the file in which a pod finds the name of its namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Config is the client for the API server, and the services to look for.
type Config struct {
	// Client makes the requests. Required.
	Client client.EndpointSlicesGetter
	// Place is the name of the cluster in errors and on pages. The default is "the cluster".
	Place string
	// Namespace is the namespace of services whose names do not have one. Required.
	Namespace string
	// Port is the name of the port to use if a Service has several ports. The default is "grpc".
	Port string
	// Zone is the zone of this program. If it is set, the driver follows topology hints as kube-proxy does: if every
	// endpoint has hints, and at least one has a hint for the zone, it lists only the endpoints with a hint for the zone.
	Zone string
	// Check is the time between two checks, during a silent watch, that the API server is alive. The default is 30s.
	Check time.Duration
}

// Driver follows EndpointSlices. Its methods may be called from any goroutine.
type Driver struct {
	config Config
	dialer *connrotation.Dialer // nil if the configuration has a client

	life context.Context // ends with Close
	end  context.CancelFunc
}

var _ driver.Driver = (*Driver)(nil)

// New returns a driver.
func New(config Config) (*Driver, error) {
	if config.Client == nil {
		return nil, errors.New("kubernetes: the client is missing; set Client, or use Open")
	}
	if problems := validation.IsDNS1123Label(config.Namespace); len(problems) > 0 {
		return nil, fmt.Errorf("kubernetes: namespace %q: %s", config.Namespace, strings.Join(problems, "; "))
	}
	if config.Place == "" {
		config.Place = "the cluster"
	}
	if config.Port == "" {
		config.Port = defaultPort
	}
	if config.Check <= 0 {
		config.Check = defaultCheck
	}
	d := &Driver{config: config}
	d.life, d.end = context.WithCancel(context.Background())
	return d, nil
}

// Open is like [New] with a URL:
//
//	kubernetes:///shop?port=grpc                                          the cluster that the program runs in
//	kubernetes://10.0.0.1:6443/shop?ca=/etc/ca.pem&token_file=/etc/token  another one
//
// The path is the namespace. The default is the namespace of the pod. The parameters are:
//
//	port        name of the port, where a Service has several
//	zone        where the program runs, to follow hints
//	check       time between two checks, during a silent watch, that the API server is alive, such as 30s
//	ca          file with the certificates of the authorities that the API server's certificate comes from
//	tls         "system" trusts the authorities of the system
//	cert, key   files with the certificate and the key that the program shows
//	token_file  file with the program's token
//
// The last four are for another cluster than that of the program. Files are read again when they change.
func Open(rawURL string) (driver.Driver, error) {
	u, err := engine.ParseURL("kubernetes", rawURL, "port", "zone", "check", "token_file")
	if err != nil {
		return nil, err
	}
	config := Config{Namespace: strings.Trim(u.Path, "/"), Port: u.Get("port"), Zone: u.Get("zone"), Place: "the cluster"}
	if text := u.Get("check"); text != "" {
		if config.Check, err = time.ParseDuration(text); err != nil || config.Check < time.Second {
			return nil, fmt.Errorf("kubernetes: check=%s: want a time of at least 1s", text)
		}
	}
	access, err := restConfig(u)
	if err != nil {
		return nil, err
	}
	if u.Host != "" {
		config.Place = u.Host
	}
	if config.Namespace == "" {
		text, err := os.ReadFile(namespaceFile)
		if err != nil {
			return nil, fmt.Errorf(
				"kubernetes: the URL has no namespace, and this program does not run in a pod: want kubernetes:///<namespace>: %w",
				err,
			)
		}
		config.Namespace = strings.TrimSpace(string(text))
	}
	dialer := connrotation.NewDialer((&net.Dialer{Timeout: requestTimeout}).DialContext)
	access.Dial = dialer.DialContext
	access.Wrap(noRepeats)
	if config.Client, err = client.NewForConfig(access); err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	d, err := New(config)
	if err != nil {
		return nil, err
	}
	d.dialer = dialer
	return d, nil
}

// restConfig returns the configuration of the client of the API server.
func restConfig(u engine.URL) (*rest.Config, error) {
	if u.Host == "" {
		for _, name := range []string{"ca", "tls", "cert", "key", "token_file"} {
			if u.Get(name) != "" {
				return nil, fmt.Errorf("kubernetes: %s is for another cluster; want kubernetes://host:port/namespace", name)
			}
		}
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf(
				"kubernetes: this program does not run in a pod; want kubernetes://host:port/namespace: %w", err,
			)
		}
		config.QPS = -1
		return config, nil
	}
	if _, err := u.TLS(); err != nil { // its error names the wrong file
		return nil, err
	}
	if u.Get("ca") == "" && u.Get("tls") == "" {
		return nil, errors.New("kubernetes: the URL does not name the trusted certificates: want ca=<file> or tls=system")
	}
	if _, err := u.Secret("token_file"); err != nil {
		return nil, err
	}
	return &rest.Config{
		Host:            "https://" + u.Host,
		BearerTokenFile: u.Get("token_file"),
		TLSClientConfig: rest.TLSClientConfig{CAFile: u.Get("ca"), CertFile: u.Get("cert"), KeyFile: u.Get("key")},
		QPS:             -1, // the Registry paces requests
	}, nil
}

// String returns the name of the cluster.
func (d *Driver) String() string { return "kubernetes at " + d.config.Place }

// Announce returns [driver.ErrNoRegistration], because a pod registers by being ready.
func (d *Driver) Announce(context.Context, driver.Instance, time.Duration) (driver.Lease, error) {
	return nil, driver.ErrNoRegistration
}

// Close ends every Watch.
func (d *Driver) Close() error {
	d.end()
	if d.dialer != nil {
		d.dialer.CloseAll() // a connection does not count as idle yet when its last watch has just ended
	}
	return nil
}

// place splits the name of a service into the name of a Service and its namespace.
func (d *Driver) place(service string) (name, namespace string, err error) {
	if err := driver.CheckService(service); err != nil {
		return "", "", err
	}
	name, namespace, ok := strings.Cut(service, ".")
	if !ok {
		namespace = d.config.Namespace
	}
	for _, label := range []string{name, namespace} {
		if problems := validation.IsDNS1123Label(label); len(problems) > 0 {
			return "", "", fmt.Errorf("service %q: want <name> or <name>.<namespace> of a Service: %s", service, problems[0])
		}
	}
	return name, namespace, nil
}
