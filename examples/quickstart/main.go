// Quickstart runs a small shop on one machine and shows what Parley does for it: orders and two replicas of payments
// prove to each other who they are, survive failures, and show every attempt of every call. It needs no certificate and
// no configuration: keys are made in a temporary trust directory.
//
// It ends by itself, with status 0 if everything behaved as it says and 1 if anything did not. With -serve it keeps
// running and prints commands to try.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	serve := flag.Bool("serve", false, "keep running, with the live page, reflection and a token for grpcurl")
	adminAddr := flag.String("admin", "127.0.0.1:8090", "address of the live page with -serve; loopback only")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *serve, *adminAddr); err != nil {
		fmt.Fprintln(os.Stderr, "\nquickstart:", err)
		os.Exit(1)
	}
}

// run plays every scene and, with serve, goes on until ctx ends.
func run(ctx context.Context, out io.Writer, serve bool, adminAddr string) (err error) {
	dir, err := os.MkdirTemp("", "parley-quickstart-") // new, and not readable by others
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	options := shopOptions{dir: dir}
	if serve {
		options.adminAddr = adminAddr
	}
	shop, err := openShop(ctx, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shop.close()) }()

	if err := play(ctx, out, shop); err != nil {
		return err
	}
	if serve {
		return serveShop(ctx, out, shop)
	}
	return nil
}

// play plays the scenes one after the other and stops at the first that does not behave as narrated.
func play(ctx context.Context, out io.Writer, shop *shop) error {
	fmt.Fprint(out, "Parley quickstart: orders and two replicas of payments, over TCP on loopback.\n"+
		"No certificate, no configuration: each service has a key of its own in a trust directory made just now.\n")
	started := time.Now()
	for i, s := range scenes {
		fmt.Fprintf(out, "\n%d. %s\n", i+1, s.title)
		n := &narrator{out: out, shop: shop}
		if err := s.play(ctx, shop, n); err != nil {
			return fmt.Errorf("scene %d (%s) did not go as narrated: %w", i+1, s.title, err)
		}
	}
	fmt.Fprintf(out, "\nEverything behaved as narrated, in %.1f s.\n", time.Since(started).Seconds())
	return nil
}
