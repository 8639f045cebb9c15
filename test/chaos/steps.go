package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/file"
)

// step breaks something and mends it, under load. That no charge is double or lost, and that no refund passes, is
// promised in every step.
type step struct {
	name, about string
	short       bool // it is one of the quick steps
	quotes      bool // no quote fails
	streams     bool // no stream fails
	charges     bool // no charge fails that begins after settles
	passNone    bool // no quote and no charge passes that begins after settles
	settles     time.Duration
	do          func(*fleet) error

	began, ended time.Time
	err          error // of do
}

func allSteps() []step {
	return []step{
		{
			name: "calm", about: "nothing happens", short: true, quotes: true, charges: true, streams: true,
			do: pause(3 * time.Second),
		},
		{
			name: "rolling restart", about: "one replica after the other is stopped and started", short: true,
			quotes: true, charges: true, streams: true, do: rollingRestart,
		},
		{
			name: "second rolling restart", about: "again, with endpoints that have all changed",
			quotes: true, charges: true, streams: true, do: rollingRestart,
		},
		{
			name: "kill -9", about: "one replica is killed", short: true, quotes: true, charges: true, streams: true,
			settles: 3 * time.Second, do: killOne,
		},
		{
			name: "SIGSTOP", about: "one replica freezes for 15 seconds", quotes: true, charges: true,
			settles: 3 * time.Second, do: freezeOne,
		},
		{
			name: "unavailable", about: "one replica answers UNAVAILABLE",
			do: inMood(2, moodUnavailable, 8*time.Second),
		},
		{
			name: "slow", about: "one replica is 100 times slower",
			do: inMood(0, moodSlow, 8*time.Second),
		},
		{
			name: "mute", about: "one instance accepts connections and never says a word",
			quotes: true, charges: true, streams: true, do: muteOne,
		},
		{
			name: "connection ages", about: "a replica ends connections at 4 seconds, a caller at 3, the others at 30 minutes",
			quotes: true, charges: true, streams: true, do: ageConnections,
		},
		{
			name: "key rotation", about: "the replicas get a new key, the callers' trust the old one for a while",
			quotes: true, charges: true, streams: true, do: rotateKey,
		},
		{
			name: "ConfigMap swap", about: "configuration and trust are exchanged as Kubernetes does", short: true,
			quotes: true, charges: true, streams: true, do: swapConfigMaps,
		},
		{
			name: "torn configuration", about: "the replicas' file is cut, empty, all comments, half written, and gone",
			short: true, quotes: true, charges: true, streams: true, do: tearConfiguration,
		},
		{
			name: "engine outage", about: "discovery is gone for 12 seconds", short: true,
			quotes: true, charges: true, streams: true, do: engineOutage,
		},
		{
			name: "full trust", about: "there are more key files than the trust directory may hold",
			quotes: true, charges: true, streams: true, do: fillTrust,
		},
		{
			name: "strangers", about: "more silent connections to each replica than it has file descriptors",
			quotes: true, charges: true, streams: true, do: crowd,
		},
		{
			name: "calm again", about: "nothing happens", quotes: true, charges: true, streams: true,
			do: pause(3 * time.Second),
		},
		{
			name: "revocation", about: "the callers' key is revoked while trust/ cannot be read", short: true,
			passNone: true, settles: 5 * time.Second, do: revoke,
		},
	}
}

func pause(d time.Duration) func(*fleet) error {
	return func(*fleet) error {
		time.Sleep(d)
		return nil
	}
}

func rollingRestart(f *fleet) error {
	var errs []error
	for i := range f.replicas {
		errs = append(errs, f.replicas[i].stop())
		if err := f.startReplica(i, "payments.yaml"); err != nil {
			return errors.Join(append(errs, err)...)
		}
		time.Sleep(time.Second)
	}
	return errors.Join(errs...)
}

func killOne(f *fleet) error {
	f.replicas[0].kill()
	time.Sleep(6 * time.Second)
	return f.startReplica(0, "payments.yaml")
}

func freezeOne(f *fleet) error {
	if err := f.replicas[1].signal(syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(15 * time.Second)
	return f.replicas[1].signal(syscall.SIGCONT)
}

func inMood(at int, mood string, d time.Duration) func(*fleet) error {
	return func(f *fleet) error {
		if err := f.replicas[at].command(mood); err != nil {
			return err
		}
		time.Sleep(d)
		return f.replicas[at].command(moodUsual)
	}
}

// muteOne announces an instance beside the replicas, whose listener accepts and neither reads nor writes.
func muteOne(f *fleet) (err error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var accepted []net.Conn
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted = append(accepted, conn)
		}
	}()
	defer func() {
		err = errors.Join(err, listener.Close())
		<-over
		for _, conn := range accepted {
			_ = conn.Close()
		}
	}()
	d, err := file.New(f.path("discovery"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	in := driver.Instance{Service: "payments", ID: "mute", Addresses: []string{listener.Addr().String()}}
	lease, err := d.Announce(ctx, in, 15*time.Second)
	if err != nil {
		return err
	}
	time.Sleep(15 * time.Second)
	return lease.Revoke(ctx)
}

// ageConnections gives one replica and one more caller a short life of connections for a while.
func ageConnections(f *fleet) error {
	stopped := f.replicas[2].stop()
	if err := f.startReplica(2, "payments-aged.yaml"); err != nil {
		return err
	}
	aged, err := start(f.dir, "caller", "caller-aged", "orders-aged.yaml")
	if err != nil {
		return err
	}
	time.Sleep(16 * time.Second)
	return errors.Join(stopped, aged.stop(), f.replicas[2].stop(), f.startReplica(2, "payments.yaml"))
}

// rotateKey follows the documentation: publish the new key, replace the key file when all have read it, and take the
// old key back when it is no longer used.
func rotateKey(f *fleet) error {
	const seen = 5 * time.Second
	next := f.path("keys", "payments-next.jwk")
	published := f.path("next")
	id := fleet{dir: published}
	if err := os.MkdirAll(id.path("state"), 0o700); err != nil {
		return err
	}
	if err := id.enroll("payments", next); err != nil {
		return err
	}
	fresh, err := readFiles(id.path("state", "trust", domain))
	if err != nil {
		return err
	}
	old := maps.Clone(f.keys)
	maps.Copy(f.keys, fresh)
	if err := f.trust.set(f.keys); err != nil {
		return err
	}
	time.Sleep(seen)
	if err := os.Rename(next, f.path("keys", "payments.jwk")); err != nil {
		return err
	}
	time.Sleep(seen)
	for name := range old {
		if strings.HasPrefix(name, "payments.") {
			delete(f.keys, name)
		}
	}
	if err := f.trust.set(f.keys); err != nil {
		return err
	}
	time.Sleep(seen)
	return nil
}

func swapConfigMaps(f *fleet) error {
	for range 3 {
		if err := errors.Join(f.trust.set(f.keys), f.etc.set(f.files)); err != nil {
			return err
		}
		time.Sleep(2500 * time.Millisecond)
	}
	return nil
}

// tearConfiguration writes the replicas' file in place and leaves each torn text for several readings, which are a
// second apart. A text that happens to be a good file is what an operator may want, so it counts after two equal
// readings; it stays for less than that.
func tearConfiguration(f *fleet) error {
	const readings, lessThanTwo = 3500 * time.Millisecond, 900 * time.Millisecond
	whole := f.files["payments.yaml"]
	path := filepath.Join(f.etc.folder, "payments.yaml")
	policies := strings.Index(whole, "policies:")
	for _, torn := range []struct {
		text string
		stay time.Duration
	}{
		{"", readings},
		{"# nothing but a comment\n", readings},
		{whole[:policies], lessThanTwo},
		{whole[:policies+len("policies:\n")], readings},
		{whole[:len(whole)/3], readings},
		{"\x00\x00\x00\x00", readings},
	} {
		if err := os.WriteFile(path, []byte(torn.text), 0o600); err != nil { // in place, through the link
			return err
		}
		time.Sleep(torn.stay)
		if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
			return err
		}
		time.Sleep(readings)
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	time.Sleep(readings)
	return f.etc.set(f.files)
}

// engineOutage puts a file in the place of the discovery folder, so that no process can make it anew.
func engineOutage(f *fleet) error {
	folder, away := f.path("discovery"), f.path("discovery-away")
	if err := errors.Join(os.Rename(folder, away), os.WriteFile(folder, nil, 0o600)); err != nil {
		return err
	}
	time.Sleep(12 * time.Second)
	return errors.Join(os.Remove(folder), os.Rename(away, folder))
}

// fillTrust adds names beyond the limit. They need no sense, because names count.
func fillTrust(f *fleet) error {
	many := filepath.Join(f.path("state", "trust"), "other")
	if err := os.Mkdir(many, 0o700); err != nil {
		return err
	}
	for i := range 20100 {
		if err := os.WriteFile(filepath.Join(many, fmt.Sprintf("f%d.json", i)), nil, 0o600); err != nil {
			return err
		}
	}
	time.Sleep(6 * time.Second)
	return os.RemoveAll(many)
}

// crowd opens silent connections, of which the replicas close the oldest, and starts a caller that finds room even so.
func crowd(f *fleet) (err error) {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	for _, p := range f.replicas {
		for range descriptors + 100 {
			conn, err := dialer.DialContext(context.Background(), "tcp", p.address)
			if err != nil {
				return err
			}
			open = append(open, conn)
		}
	}
	late, err := start(f.dir, "caller", "caller-late", "orders.yaml")
	if err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	return late.stop()
}

// revoke takes the callers' key back at a time when the keys cannot be read.
func revoke(f *fleet) error {
	if err := os.Chmod(f.path("state", "trust"), 0o777); err != nil { //nolint:gosec // is the fault
		return err
	}
	if err := os.Mkdir(f.path("state", "revoked"), 0o700); err != nil {
		return err
	}
	for name := range f.keys {
		if thumbprint, ok := strings.CutPrefix(name, "orders."); ok {
			revoked := f.path("state", "revoked", strings.TrimSuffix(thumbprint, ".json"))
			if err := os.WriteFile(revoked, nil, 0o600); err != nil {
				return err
			}
		}
	}
	time.Sleep(8 * time.Second)
	return nil
}
