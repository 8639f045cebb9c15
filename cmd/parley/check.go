package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-rpc/parley/framework"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

type checkCommand struct {
	Service  string   `arg:"" help:"${check_service}"`
	New      string   `arg:"" optional:"" help:"With --diff, the contract or configuration after the change."`
	Diff     bool     `help:"Show what a change opens, closes and shortens, as the command diff does."`
	Config   string   `help:"Its configuration." placeholder:"FILE"`
	Contract string   `help:"${contract}" placeholder:"FILE"`
	Serves   []string `help:"${check_serves}" placeholder:"NAME"`
	Output   string   `help:"With --diff, how to print the changes: text or json." enum:"text,json" default:"text"`
}

// Run checks what the service itself checks before it starts, and prints every mistake.
func (c *checkCommand) Run(s streams) error {
	switch {
	case c.Diff && (c.New == "" || c.Config != "" || len(c.Serves) > 0):
		return errors.New("--diff compares two contracts, or two configurations of one --contract; name both, and leave " +
			"--config and --serves out")
	case c.Diff:
		return (&diffCommand{Old: c.Service, New: c.New, Contract: c.Contract, Output: c.Output}).Run(s)
	case c.New != "":
		return fmt.Errorf("%s: a check is about one service; to compare two policies, give --diff", c.New)
	case c.Config == "":
		return errors.New("--config: name the configuration of the service")
	}
	config, err := readConfig(c.Config)
	if err != nil {
		_, printed := fmt.Fprintln(s.out, err)
		return errors.Join(printed, errNo)
	}
	if c.Contract != "" {
		set, err := readContract(c.Contract)
		if err != nil {
			return err
		}
		if err := link(set); err != nil {
			return err
		}
	}
	app, err := appOf(c.Service, config, c.Serves)
	if err != nil {
		return err
	}
	mistakes := app.Check()
	if err := app.Close(); err != nil {
		return err
	}
	if mistakes != nil {
		if c.Contract == "" && len(config.GetPolicies()) > 0 {
			mistakes = errors.Join(mistakes, errors.New("policies: without --contract the methods of the service are not "+
				"known here; give --contract"))
		}
		_, err := fmt.Fprintln(s.out, mistakes)
		return errors.Join(err, errNo)
	}
	_, err = fmt.Fprintf(s.out, "%s: no mistakes\n", c.Config)
	return err
}

// appOf is the service with this configuration. Where nothing says what it serves, it serves nothing.
func appOf(service string, config configuration, serves []string) (*framework.App, error) {
	// A service may enroll when it starts. Looking at its configuration makes and publishes no key.
	environment := framework.WithEnviron(append(os.Environ(), "PARLEY_IDENTITY_ENROLL=never"))
	quiet := framework.WithLogger(slog.New(slog.DiscardHandler))
	app := framework.New(service, framework.WithConfig(config.path, config.content), environment, quiet)
	for _, name := range slices.Sorted(maps.Keys(config.GetClients())) {
		app.Client(name)
	}
	if len(serves)+len(config.GetServers()) == 0 {
		return app, nil
	}
	server := app.Server("127.0.0.1:0") // which the configuration overrides, and which is never bound
	if len(serves) == 0 {
		if err := linkPlaceholder(); err != nil {
			return nil, errors.Join(err, app.Close())
		}
		serves = []string{placeholder}
	}
	for _, name := range serves {
		description, err := describe(name)
		if err != nil {
			return nil, errors.Join(err, app.Close())
		}
		server.RegisterService(description, struct{}{})
	}
	return app, nil
}

// placeholder is a service that stands for those of a server where no flag names them: a server without any is a
// mistake. No caller may call it.
const placeholder = "parley.cli.Placeholder"

func linkPlaceholder() error {
	if _, err := protoregistry.GlobalFiles.FindDescriptorByName(placeholder); err == nil {
		return nil
	}
	options := new(descriptorpb.MethodOptions)
	proto.SetExtension(options, policyv1.E_Method, &policyv1.Policy{
		Auth: &policyv1.Auth{Access: policyv1.Access_ACCESS_DENIED.Enum()},
	})
	return link(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
		Name: new("parley/cli/placeholder.proto"), Package: new("parley.cli"), Syntax: new("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: new("Empty")}},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: new("Placeholder"),
			Method: []*descriptorpb.MethodDescriptorProto{{
				Name: new("Call"), InputType: new(".parley.cli.Empty"), OutputType: new(".parley.cli.Empty"), Options: options,
			}},
		}},
	}}})
}

// describe describes a service that has no handlers.
func describe(name string) (*grpc.ServiceDesc, error) {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	service, ok := found.(protoreflect.ServiceDescriptor)
	if err != nil || !ok {
		return nil, fmt.Errorf(
			"--serves: no service %s in the contract; name it with its package, and give --contract", name,
		)
	}
	description := &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil), Metadata: service.ParentFile().Path()}
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		if method.IsStreamingClient() || method.IsStreamingServer() {
			description.Streams = append(description.Streams, grpc.StreamDesc{
				StreamName: string(method.Name()), Handler: noStream,
				ServerStreams: method.IsStreamingServer(), ClientStreams: method.IsStreamingClient(),
			})
			continue
		}
		unary := grpc.MethodDesc{MethodName: string(method.Name()), Handler: noMethod}
		description.Methods = append(description.Methods, unary)
	}
	return description, nil
}

// errNotServed is what methods answer here. Nothing is ever served.
var errNotServed = errors.New("a check serves nothing")

//nolint:revive // gRPC's order
func noMethod(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) {
	return nil, errNotServed
}

func noStream(any, grpc.ServerStream) error { return errNotServed }
