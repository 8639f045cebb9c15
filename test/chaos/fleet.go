package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

const (
	replicas = 3
	callers  = 2
	// recovery is how long a step goes on after its fault has been mended.
	recovery = 2 * time.Second
	// between is how long no call counts, so that a call in flight is not met by the fault of the next step.
	between = 500 * time.Millisecond
)

// fleet is the processes, and the folders that they share.
type fleet struct {
	dir      string
	replicas [replicas]*process
	callers  [callers]*process
	made     int // replicas so far

	etc   mount             // configuration files
	files map[string]string // in etc
	trust mount             // state/trust/test
	keys  map[string]string // in trust
}

const domain = "test"

func (f *fleet) path(elements ...string) string {
	return filepath.Join(append([]string{f.dir}, elements...)...)
}

// newFleet makes keys, trust directory and configuration.
func newFleet(dir string) (*fleet, error) {
	f := &fleet{dir: dir}
	for _, folder := range []string{"logs", "ledger", "results", "keys", "state", "etc"} {
		if err := os.Mkdir(f.path(folder), 0o700); err != nil {
			return nil, err
		}
	}
	for _, service := range []string{"payments", "orders"} {
		if err := f.enroll(service, f.path("keys", service+".jwk")); err != nil {
			return nil, err
		}
	}
	var err error
	if f.keys, err = readFiles(f.path("state", "trust", domain)); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(f.path("state", "trust", domain)); err != nil {
		return nil, err
	}
	f.trust.folder, f.etc.folder = f.path("state", "trust", domain), f.path("etc")
	f.files = map[string]string{
		"payments.yaml": f.config("payments") + forbidding,
		"orders.yaml":   f.config("orders") + resting,
		// Connections whose ends know other ages.
		"payments-aged.yaml": strings.Replace(f.config("payments"), "identity:", "identity:\n  max_connection_age: 4s", 1) +
			forbidding,
		"orders-aged.yaml": strings.Replace(f.config("orders"), "identity:", "identity:\n  max_connection_age: 3s", 1),
	}
	return f, errors.Join(f.trust.set(f.keys), f.etc.set(f.files))
}

// enroll makes a key, if there is none, and publishes it.
func (f *fleet) enroll(service, keyFile string) error {
	id, err := principal.ParseID("spiffe://" + domain + "/" + service)
	if err != nil {
		return err
	}
	return auth.Enroll(f.path("state"), id, auth.WithKeyFile(keyFile))
}

func (f *fleet) config(service string) string {
	return fmt.Sprintf(`identity:
  trust_domain: %s
  trust_dir: %s
  key_file: %s
discovery:
  driver: file:%s
`, domain, f.path("state"), f.path("keys", service+".jwk"), f.path("discovery"))
}

// forbidding is the policy that a torn file must not lift.
const forbidding = `policies:
  /shop.payments.v1.PaymentsService/Refund:
    auth:
      deny:
      - name: no-refunds
        peers: [orders]
`

// resting lets replicas rest that fail far more than the others.
const resting = `clients:
  payments:
    outliers: {}
`

func (f *fleet) start() error {
	for i := range f.replicas {
		if err := f.startReplica(i, "payments.yaml"); err != nil {
			return err
		}
	}
	for i := range f.callers {
		var err error
		if f.callers[i], err = start(f.dir, "caller", fmt.Sprintf("caller-%d", i), "orders.yaml"); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) startReplica(i int, file string) error {
	f.made++
	var err error
	f.replicas[i], err = start(f.dir, "replica", fmt.Sprintf("replica-%02d", f.made), file)
	return err
}

// run runs one step. The error is that the others cannot run.
func (f *fleet) run(s *step) error {
	fmt.Fprintf(os.Stderr, "%s: %s\n", s.name, s.about)
	s.began = time.Now()
	s.err = s.do(f)
	time.Sleep(recovery)
	s.ended = time.Now()
	time.Sleep(between)
	var err error
	for _, p := range append(f.replicas[:], f.callers[:]...) {
		select {
		case <-p.ended:
			err = errors.Join(err, fmt.Errorf("%s has ended by itself: %w", p.name, p.err))
		default:
		}
	}
	return err
}

// stopCallers ends the load. The callers write their results.
func (f *fleet) stopCallers() error {
	var errs []error
	for _, p := range f.callers {
		errs = append(errs, p.stop())
	}
	return errors.Join(errs...)
}

// end ends every process.
func (f *fleet) end() {
	for _, p := range append(f.replicas[:], f.callers[:]...) {
		if p != nil {
			p.kill()
		}
	}
}

func readFiles(folder string) (map[string]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, entry.Name())) //nolint:gosec // in a folder of its own
		if err != nil {
			return nil, err
		}
		files[entry.Name()] = string(text)
	}
	return files, nil
}
