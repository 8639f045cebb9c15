package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/parley-rpc/parley/cmd/parley/internal/issuerserver"
)

type issuerCommand struct {
	Init      issuerInitCommand      `cmd:"" help:"Make the folder of a new issuer, and its offline root key."`
	Serve     issuerServeCommand     `cmd:"" help:"Run the issuer of a folder."`
	Status    issuerStatusCommand    `cmd:"" help:"Show keys, revocations and the last changes of a running issuer."`
	Rotate    issuerRotateCommand    `cmd:"" help:"Make a new signing key, which signs 12 minutes later."`
	Revoke    issuerRevokeCommand    `cmd:"" help:"Revoke a client, the key of a client, or a signing key."`
	Reinstate issuerReinstateCommand `cmd:"" help:"End the revocation of a client."`
	Clients   issuerClientsCommand   `cmd:"" help:"Show and change the registrations of clients."`
	Backup    issuerBackupCommand    `cmd:"" help:"Copy the state of a running issuer into a file."`
	Restore   issuerRestoreCommand   `cmd:"" help:"Make the state of a stopped issuer from a backup."`
	Sign      issuerSignCommand      `cmd:"" help:"${issuer_sign}"`
}

// folderFlag is the folder of an issuer.
type folderFlag struct {
	Dir string `help:"Folder of the issuer, with issuer.yaml." default:"." placeholder:"DIR"`
}

type issuerInitCommand struct {
	folderFlag

	Issuer      string `help:"Name of the issuer, its https URL." required:"" placeholder:"URL"`
	TrustDomain string `help:"Trust domain of the issuer and its operators." required:"" placeholder:"DOMAIN"`
	Root        string `help:"${issuer_root}" required:"" placeholder:"FILE"`
	Listen      string `help:"Address of the HTTPS listener." default:":8443"`
	Cert        string `help:"PEM file with the certificate of the HTTPS listener." default:"tls.crt" placeholder:"FILE"`
	Key         string `help:"PEM file with the private key of that certificate." default:"tls.key" placeholder:"FILE"`
	Alg         string `help:"Algorithm of the keys: EdDSA or ES256." enum:"EdDSA,ES256" default:"EdDSA"`
}

// Run makes the folder and prints the pin.
func (c *issuerInitCommand) Run(ctx context.Context, s streams) error {
	pin, err := issuerserver.Init(ctx, issuerserver.Setup{
		Folder: c.Dir, Root: c.Root, Issuer: c.Issuer, TrustDomain: c.TrustDomain, Listen: c.Listen, CertFile: c.Cert,
		KeyFile: c.Key, Algorithm: c.Alg,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, `The issuer is in %s. Start it with: parley issuer serve --dir %s
The root key is in %s. Move it to a machine that is offline, and keep a copy.
Verifiers of signed key sets pin the root:
  pinned_root: %s
`, c.Dir, c.Dir, c.Root, pin)
	return err
}

type issuerServeCommand struct{ folderFlag }

// Run serves until the program is told to stop.
func (c *issuerServeCommand) Run(ctx context.Context, s streams) error {
	server, err := issuerserver.Open(ctx, c.Dir, slog.New(slog.NewJSONHandler(s.err, nil)))
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

type issuerRestoreCommand struct {
	folderFlag

	Backup string `arg:"" help:"File that parley issuer backup has written."`
}

// Run restores, and says what is left to do.
func (c *issuerRestoreCommand) Run(ctx context.Context, s streams) (err error) {
	f, err := os.Open(c.Backup)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	made, err := issuerserver.Restore(ctx, c.Dir, f)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, `The state of %s is restored. What was changed since then is lost:
revoke again what was revoked, start the issuer, and rotate.
`, made.Format("2006-01-02 15:04:05 MST"))
	return err
}

type issuerSignCommand struct {
	Root string `help:"File of the root key." required:"" placeholder:"FILE"`
	Keys string `arg:"" help:"Key set of the issuer, as it serves it at /jwks.json."`
	Days int    `help:"Number of days to sign for." default:"30"`
}

// Run prints a signed key set for each half of a day.
func (c *issuerSignCommand) Run(s streams) error {
	sets, err := issuerserver.Sign(c.Root, c.Keys, c.Days)
	if err != nil {
		return err
	}
	for _, set := range sets {
		if _, err := fmt.Fprintln(s.out, set); err != nil {
			return err
		}
	}
	return nil
}
