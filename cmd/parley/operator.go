package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parley-rpc/parley/cmd/parley/internal/issuerserver"
	"github.com/parley-rpc/parley/framework"
	issuerv1 "github.com/parley-rpc/parley/gen/parley/issuer/v1"
	"github.com/parley-rpc/parley/internal/protoyaml"
)

// operatorTimeout bounds a command of an operator, except a backup.
const operatorTimeout = 15 * time.Second

// call calls the issuer of the folder as its operator.
func (f folderFlag) call(ctx context.Context, do func(context.Context, issuerv1.AdminServiceClient) error) (err error) {
	id, server, address, err := issuerserver.Operator(f.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, id.Close()) }()
	app := framework.New(id.ID().Service(), framework.WithIdentity(id), framework.WithEnviron(nil),
		framework.WithLogger(slog.New(slog.DiscardHandler)))
	defer func() { err = errors.Join(err, app.Close()) }()
	client := app.Client("issuer", framework.WithTarget("passthrough:///"+address), framework.WithPeers(server.String()))
	if err := do(ctx, issuerv1.NewAdminServiceClient(client)); err != nil {
		why := status.Convert(err)
		if why.Code() == codes.Unavailable || why.Code() == codes.DeadlineExceeded {
			return fmt.Errorf("the issuer at %s: %s; does parley issuer serve run there?", address, why.Message())
		}
		return fmt.Errorf("the issuer at %s: %s", address, why.Message())
	}
	return nil
}

// change is call for a short call that answers nothing of interest.
func (f folderFlag) change(
	ctx context.Context, s streams, done string, do func(context.Context, issuerv1.AdminServiceClient) error,
) error {
	ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
	defer cancel()
	if err := f.call(ctx, do); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.out, done)
	return err
}

type issuerStatusCommand struct {
	folderFlag

	Output string `help:"How to print the status: text or json." enum:"text,json" default:"text"`
}

// Run prints the status.
func (c *issuerStatusCommand) Run(ctx context.Context, s streams) error {
	ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
	defer cancel()
	var answer *issuerv1.GetStatusResponse
	if err := c.call(ctx, func(ctx context.Context, admin issuerv1.AdminServiceClient) (err error) {
		answer, err = admin.GetStatus(ctx, &issuerv1.GetStatusRequest{})
		return err
	}); err != nil {
		return err
	}
	if c.Output == "json" {
		text, err := protojson.MarshalOptions{Multiline: true, UseProtoNames: true}.Marshal(answer)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.out, string(text))
		return err
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "issuer %s\n\nKEY\tUSE\tUNTIL\n", answer.GetIssuer())
	for _, key := range answer.GetKeys() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", key.GetKeyId(), key.GetUse(), when(key.GetUntil()))
	}
	fmt.Fprintf(table, "\nREVOKED\tSINCE\tREASON\n")
	for _, r := range answer.GetRevocations() {
		fmt.Fprintf(table, "%s%s\t%s\t%q\n", r.GetClient(), r.GetKeyId(), when(r.GetAt()), r.GetReason())
	}
	fmt.Fprintf(table, "\nCHANGE\tAT\tACTION\tOF\tBY\tREASON\n")
	for _, e := range answer.GetEvents() {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s%s\t%s\t%q\n", e.GetNumber(), when(e.GetAt()), e.GetAction(), e.GetClient(),
			e.GetKeyId(), e.GetActor(), e.GetReason())
	}
	return table.Flush()
}

func when(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339)
}

type issuerRotateCommand struct{ folderFlag }

// Run rotates, and prints when the new key signs.
func (c *issuerRotateCommand) Run(ctx context.Context, s streams) error {
	ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
	defer cancel()
	return c.call(ctx, func(ctx context.Context, admin issuerv1.AdminServiceClient) error {
		answer, err := admin.Rotate(ctx, &issuerv1.RotateRequest{})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.out, "The new key is published, and signs from %s.\n", when(answer.GetSigns()))
		return err
	})
}

type issuerRevokeCommand struct {
	folderFlag

	Client string `help:"ID of the client to revoke." xor:"what" required:"" placeholder:"ID"`
	Key    string `help:"Thumbprint of the key to revoke." xor:"what" required:"" placeholder:"KID"`
	Reason string `help:"Reason, for the audit trail." required:""`
}

// Run revokes.
func (c *issuerRevokeCommand) Run(ctx context.Context, s streams) error {
	return c.change(ctx, s, "Revoked.", func(ctx context.Context, admin issuerv1.AdminServiceClient) error {
		_, err := admin.Revoke(ctx, &issuerv1.RevokeRequest{Client: c.Client, KeyId: c.Key, Reason: c.Reason})
		return err
	})
}

type issuerReinstateCommand struct {
	folderFlag

	Client string `arg:"" help:"ID of the client."`
	Reason string `help:"Reason, for the audit trail." required:""`
}

// Run reinstates.
func (c *issuerReinstateCommand) Run(ctx context.Context, s streams) error {
	return c.change(ctx, s, "Reinstated.", func(ctx context.Context, admin issuerv1.AdminServiceClient) error {
		_, err := admin.Reinstate(ctx, &issuerv1.ReinstateRequest{Client: c.Client, Reason: c.Reason})
		return err
	})
}

type issuerClientsCommand struct {
	List   issuerClientsListCommand   `cmd:"" help:"List the registered clients and their grants."`
	Apply  issuerClientsApplyCommand  `cmd:"" help:"Register the clients of a file."`
	Remove issuerClientsRemoveCommand `cmd:"" help:"Remove the registration of a client."`
}

type issuerClientsListCommand struct{ folderFlag }

// Run prints each client as a line of JSON.
func (c *issuerClientsListCommand) Run(ctx context.Context, s streams) error {
	ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
	defer cancel()
	return c.call(ctx, func(ctx context.Context, admin issuerv1.AdminServiceClient) error {
		for after, more := "", true; more; {
			page, err := admin.ListClients(ctx, &issuerv1.ListClientsRequest{After: after})
			if err != nil {
				return err
			}
			for _, client := range page.GetClients() {
				text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(client)
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintln(s.out, string(text)); err != nil {
					return err
				}
				after = client.GetClient()
			}
			more = page.GetMore()
		}
		return nil
	})
}

type issuerClientsApplyCommand struct {
	folderFlag

	File   string `arg:"" help:"YAML file with the key clients, parley.issuer.v1.Registrations."`
	Reason string `help:"Reason, for the audit trail." required:""`
}

// Run registers the clients in the order of their IDs, up to the first that is refused.
func (c *issuerClientsApplyCommand) Run(ctx context.Context, s streams) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	var file issuerv1.Registrations
	if _, err := protoyaml.Unmarshal(c.File, text, &file); err != nil {
		return err
	}
	done := fmt.Sprintf("Registered: %d.", len(file.GetClients()))
	return c.change(ctx, s, done, func(ctx context.Context, admin issuerv1.AdminServiceClient) error {
		for _, id := range slices.Sorted(maps.Keys(file.GetClients())) {
			r := &issuerv1.RegisterRequest{Client: id, Registration: file.GetClients()[id], Reason: c.Reason}
			if _, err := admin.Register(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

type issuerClientsRemoveCommand struct {
	folderFlag

	Client string `arg:"" help:"ID of the client."`
	Reason string `help:"Reason, for the audit trail." required:""`
}

// Run removes a client.
func (c *issuerClientsRemoveCommand) Run(ctx context.Context, s streams) error {
	return c.change(ctx, s, "Removed.", func(ctx context.Context, admin issuerv1.AdminServiceClient) error {
		_, err := admin.RemoveClient(ctx, &issuerv1.RemoveClientRequest{Client: c.Client, Reason: c.Reason})
		return err
	})
}

type issuerBackupCommand struct {
	folderFlag

	File string `arg:"" help:"File to write. It must not exist."`
}

// Run writes the backup. A backup that is cut short leaves no file.
func (c *issuerBackupCommand) Run(ctx context.Context, s streams) (err error) {
	f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there; name a new file", c.File)
	}
	if err != nil {
		return err
	}
	err = c.call(ctx, func(ctx context.Context, admin issuerv1.AdminServiceClient) error { return receive(ctx, admin, f) })
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(c.File))
	}
	_, err = fmt.Fprintf(s.out, "The state is in %s. Keep it apart from the secret of the issuer.\n", c.File)
	return err
}

func receive(ctx context.Context, admin issuerv1.AdminServiceClient, f io.Writer) error {
	stream, err := admin.Backup(ctx, &issuerv1.BackupRequest{})
	if err != nil {
		return err
	}
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := f.Write(part.GetPart()); err != nil {
			return err
		}
	}
}
