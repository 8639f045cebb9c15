package engines

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	client "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/rest"

	"github.com/parley-rpc/parley/discovery/discoverytest"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/kubernetes"
)

const token = "token-of-the-test"

// cluster is an API server over an etcd. Nothing else runs: the tests write EndpointSlices themselves.
type cluster struct {
	dir       string
	addr      string
	apiserver *process
	client    client.DiscoveryV1Interface
}

func startKubernetes(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{dir: t.TempDir()}
	etcd, peer := fmt.Sprint("http://127.0.0.1:", freePort(t)), fmt.Sprint("http://127.0.0.1:", freePort(t))
	launch(t, filepath.Join(c.dir, "etcd.log"), "etcd", "--data-dir="+filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer)
	port := freePort(t)
	cert, key := selfSigned(t, c.dir)
	tokens := filepath.Join(c.dir, "token")
	write(t, tokens, []byte(token))
	users := filepath.Join(c.dir, "users.csv")
	write(t, users, []byte(token+",test,test\n"))
	c.addr = fmt.Sprint("127.0.0.1:", port)
	c.apiserver = launch(
		t,
		filepath.Join(c.dir, "apiserver.log"),
		"kube-apiserver",
		"--etcd-servers="+etcd,
		"--bind-address=127.0.0.1",
		fmt.Sprint("--secure-port=", port),
		"--tls-cert-file="+cert,
		"--tls-private-key-file="+key,
		"--token-auth-file="+users,
		"--authorization-mode=AlwaysAllow",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--service-account-issuer=https://127.0.0.1",
		"--service-account-key-file="+cert,
		"--service-account-signing-key-file="+key,
		"--disable-admission-plugins=ServiceAccount,NamespaceLifecycle",
	)
	c.ready(t)
	var err error
	if c.client, err = client.NewForConfig(&rest.Config{
		Host: "https://" + c.addr, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAFile: cert}, QPS: -1,
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) ready(t testing.TB) {
	t.Helper()
	asking := c.asking(t, time.Second)
	await(t, "the API server is ready", func(ctx context.Context) bool {
		response, ok := answers(ctx, asking, "https://"+c.addr+"/readyz", token)
		if response != nil {
			_ = response.Body.Close()
		}
		return ok
	})
}

// asking is a client that trusts the API server.
func (c *cluster) asking(t testing.TB, timeout time.Duration) *http.Client {
	t.Helper()
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots(t, filepath.Join(c.dir, "cert.pem")), MinVersion: tls.VersionTLS12},
	}}
}

func roots(t testing.TB, file string) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	text, err := os.ReadFile(file)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatal("no certificate", err)
	}
	return pool
}

func (c *cluster) kill(t *testing.T) {
	t.Helper()
	c.apiserver.end()
	c.apiserver.start(t)
	c.ready(t)
}

// set writes the instances of a service into two slices; one that would be empty is deleted.
func (c *cluster) set(t *testing.T, namespace, service string, list []driver.Instance) {
	t.Helper()
	for i := range 2 {
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Name:   fmt.Sprint(service, "-", i),
				Labels: map[string]string{discoveryv1.LabelServiceName: service},
			},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Name: new("grpc"), Port: new(int32(8443))}},
		}
		for j, in := range list {
			if j%2 == i {
				slice.Endpoints = append(slice.Endpoints, endpoint(t, in))
			}
		}
		if err := c.write(t.Context(), namespace, slice); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *cluster) write(ctx context.Context, namespace string, slice *discoveryv1.EndpointSlice) error {
	slices := c.client.EndpointSlices(namespace)
	if len(slice.Endpoints) == 0 {
		err := slices.Delete(ctx, slice.Name, metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	_, err := slices.Update(ctx, slice, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = slices.Create(ctx, slice, metav1.CreateOptions{})
	}
	return err
}

func endpoint(t testing.TB, in driver.Instance) discoveryv1.Endpoint {
	t.Helper()
	host, _, err := net.SplitHostPort(in.Addresses[0])
	if err != nil {
		t.Fatal(err)
	}
	e := discoveryv1.Endpoint{
		Addresses: []string{host},
		Conditions: discoveryv1.EndpointConditions{
			Ready:       new(!in.Draining),
			Serving:     new(true),
			Terminating: new(in.Draining),
		},
	}
	if in.Zone != "" {
		e.Zone = new(in.Zone)
	}
	return e
}

func TestKubernetes(t *testing.T) {
	shared := startKubernetes(t)
	var namespaces atomic.Int64
	discoverytest.RunLive(t, func(t *testing.T) discoverytest.Harness {
		c := shared
		if strings.HasSuffix(t.Name(), "Kill") {
			c = startKubernetes(t) // what happens to it must not happen to the others
		}
		namespace := fmt.Sprint("test-", namespaces.Add(1))
		proxy := discoverytest.NewProxy(t, c.addr)
		return discoverytest.Harness{
			Driver: func(t *testing.T) driver.Driver {
				d, err := kubernetes.Open(fmt.Sprintf("kubernetes://%s/%s?check=2s&ca=%s&token_file=%s",
					proxy.Addr(), namespace, filepath.Join(c.dir, "cert.pem"), filepath.Join(c.dir, "token")))
				if err != nil {
					t.Fatal(err)
				}
				return d
			},
			Set: func(t *testing.T, service string, list []driver.Instance) { c.set(t, namespace, service, list) },
			Carried: func(in driver.Instance) driver.Instance {
				return driver.Instance{
					ID:        in.Addresses[0],
					Service:   in.Service,
					Addresses: in.Addresses[:1],
					Zone:      in.Zone,
					Draining:  in.Draining,
				}
			},
			Valid:   func(service string) bool { return !strings.ContainsAny(service, "._") },
			SetDown: func(_ *testing.T, down bool) { proxy.SetDown(down) },
			Kill:    c.kill,
			Freeze:  func(_ *testing.T, frozen bool) { proxy.SetFrozen(frozen) },
			Delay:   func(_ *testing.T, delay time.Duration) { proxy.SetDelay(delay) },
			TTL:     2 * time.Second,
			Visible: 2 * time.Second,
			Detect:  10 * time.Second,
		}
	})
}
