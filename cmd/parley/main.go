// Parley is the command of the framework: it explains policies and checks configurations without a running service.
//
//	parley explain shop.payments.v1.PaymentsService/Charge --contract api.binpb --as orders
//	parley check payments --config payments.yaml --contract api.binpb --serves shop.payments.v1.PaymentsService
//	parley token check user.jwt --service payments --config payments.yaml
//	parley export --format istio --contract api.binpb --namespace shop
//	parley diff old.binpb new.binpb
//
// It also is the program of an issuer, and of its operators:
//
//	parley issuer init --dir issuer --issuer https://id.shop.example --trust-domain shop.example --root root.pem
//	parley issuer serve --dir issuer
//	parley issuer revoke --dir issuer --client spiffe://shop.example/orders --reason "stolen laptop"
//
// It ends with status 0, with 1 if the answer is no (a call is refused, a check finds mistakes, a change opens), and
// with 2 if it could not find an answer.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type command struct {
	Explain explainCommand `cmd:"" help:"${explain}"`
	Check   checkCommand   `cmd:"" help:"${check}"`
	Token   tokenCommand   `cmd:"" help:"Look at tokens."`
	Export  exportCommand  `cmd:"" help:"${export}"`
	Diff    diffCommand    `cmd:"" help:"Show what a change of policies opens, closes and shortens."`
	Issuer  issuerCommand  `cmd:"" help:"Run a login system for services, and change it."`
}

// help are the texts that the fields of commands name.
func help() kong.Vars {
	return kong.Vars{
		"issuer_root": "File of the new offline root key, outside of the folder of the issuer.",
		"issuer_sign": "Sign a key set with the offline root key, on the machine that has it.",
		"contract":    "Descriptor set of the .proto files, as 'buf build -o' makes it.",
		"explain":     "Show the effective policy of a method, decide on a call, or play its attempts.",
		"explain_method": "The method, such as shop.payments.v1.PaymentsService/Charge, or as much of its end as names " +
			"one method alone.",
		"explain_admin":    "Ask a running service instead, at the address of its admin surface.",
		"explain_config":   "Configuration of the service, whose policies narrow those of the contract.",
		"explain_domain":   "Trust domain of the service. Default: that of the configuration, or else local.",
		"explain_as":       "Decide on a call of this workload: a name of the trust domain, or a full ID.",
		"explain_token":    "The caller brings this bearer token. It is read by the configuration, and not verified.",
		"explain_user":     "The call is made for the end user of this token, whose claims are read in the same way.",
		"explain_script":   `Play the attempts of a call against these answers: "UNAVAILABLE, 300ms OK".`,
		"explain_deadline": "Deadline that the caller states, for --script.",
		"check":            "Check the configuration and the policies of a service, as the service itself reads them.",
		"export":           "Write policies as a gRPC service config for other languages, or as objects of Istio.",
		"export_format":    "service-config or istio.",
		"export_serves":    "Only the methods of this service, such as shop.payments.v1.PaymentsService. Default: all.",
		"export_client":    "The client of the configuration whose retry budget is exported.",
		"export_name":      "Name of the objects, for istio.",
		"export_label":     "Label of the pods of the service, for istio. Default: all pods of the namespace.",
		"export_host":      "Host that callers name, for the VirtualService of istio. Default: none is written.",
		"diff_old":         "The contract before the change, as --contract of explain. With --contract, the configuration.",
		"diff_contract":    "The contract of both, if OLD and NEW are configurations.",
		"token_check":      "Show each check that a service makes of a token, and which setting would let it pass.",
		"check_service": "Name of the service, as it gives it to framework.New. With --diff, the contract or configuration " +
			"before the change.",
		"check_serves": "A gRPC service that it serves, such as shop.payments.v1.PaymentsService.",
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], streams{os.Stdout, os.Stderr})
	stop()
	os.Exit(status)
}

// run runs the program and returns its exit status.
func run(ctx context.Context, args []string, s streams) int {
	status := -1
	var c command
	parser, err := kong.New(&c,
		kong.Name("parley"),
		kong.Description("Explains policies, checks configurations of services built with Parley, and runs an issuer."),
		kong.UsageOnError(),
		kong.WithHyphenPrefixedParameters(true), // a thumbprint may begin with a hyphen
		help(),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) {
			if status < 0 {
				status = code // of help
			}
		}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		return s.failed(err)
	}
	parsed, err := parser.Parse(args)
	if status >= 0 {
		return status
	}
	if err == nil {
		err = parsed.Run()
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNo):
		return 1
	default:
		return s.failed(err)
	}
}
