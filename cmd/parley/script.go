package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/tracing"
	"github.com/parley-rpc/parley/internal/virtualtest"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/waterfall"
)

// answer is what a script lets a server answer to one attempt.
type answer struct {
	after time.Duration
	code  codes.Code
	hangs bool
}

// parseScript reads answers that are separated by commas: a status code, or "hang", with the time that it takes in
// front: "UNAVAILABLE, 300ms OK".
func parseScript(text string) ([]answer, error) {
	var script []answer
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		var a answer
		if len(words) == 2 {
			after, err := time.ParseDuration(words[0])
			if err != nil || after < 0 || after > time.Minute {
				return nil, fmt.Errorf("--script: %q is no time of at most a minute, such as 300ms", words[0])
			}
			a.after, words = after, words[1:]
		}
		switch {
		case len(words) != 1:
			return nil, fmt.Errorf("--script: %q is no answer; write a status code, with a time in front if it takes "+
				"some: \"300ms UNAVAILABLE\"", strings.TrimSpace(part))
		case words[0] == "hang":
			a.hangs = true
		default:
			if err := a.code.UnmarshalJSON([]byte(`"` + words[0] + `"`)); err != nil {
				return nil, fmt.Errorf("--script: %q is neither a status code, such as UNAVAILABLE, nor hang", words[0])
			}
		}
		script = append(script, a)
	}
	return script, nil
}

// play makes one call of the method by the policies of the table, against a server that follows the script, and draws
// it. Once the script has ended, each further attempt gets its last answer. The retrier is the one of every client, in
// virtual time.
func play(out io.Writer, table *policy.Table, method policy.Method, script string, deadline time.Duration) error {
	answers, err := parseScript(script)
	if err != nil {
		return err
	}
	hangs := slices.ContainsFunc(answers, func(a answer) bool { return a.hangs })
	if hangs && deadline <= 0 && !method.Deadline.Stated() {
		return errors.New("--script: a server that hangs holds the call forever, because the method has no deadline; " +
			"give --deadline")
	}
	virtualtest.Run(func() { err = call(out, table, method.Name, answers, deadline) })
	return err
}

func call(out io.Writer, table *policy.Table, method string, answers []answer, deadline time.Duration) (err error) {
	ctx := context.Background() // one from outside would keep the virtual time from passing
	ring := waterfall.NewRing(1)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ring))
	defer func() { err = errors.Join(err, provider.Shutdown(context.Background())) }()
	tracer := tracing.New(tracing.WithTracerProvider(provider))
	retrier := retry.New(retry.WithPolicy(table), retry.WithNativeRetryOff())
	defer func() { err = errors.Join(err, retrier.Close()) }()
	made := 0
	server := func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
		this := answers[min(made, len(answers)-1)]
		made++
		for _, o := range opts {
			if o, ok := o.(grpc.PeerCallOption); ok {
				*o.PeerAddr = peer.Peer{Addr: scripted{}} // the attempt reached a server
			}
		}
		return this.wait(ctx)
	}
	wire := func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, _ grpc.UnaryInvoker,
		opts ...grpc.CallOption,
	) error {
		return attempt.FromContext(ctx).Invoke(ctx, method, req, reply, cc, server, opts...)
	}
	conn, err := grpc.NewClient("passthrough:///script", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(
			tracer.UnaryCallInterceptor, retrier.UnaryClientInterceptor, tracer.UnaryAttemptInterceptor, wire,
		))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, deadline)
		defer cancel()
	}
	failed := conn.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{})
	if err := ring.WriteText(out); err != nil {
		return err
	}
	if failed != nil {
		_, err := fmt.Fprintln(out, failed)
		return errors.Join(err, errNo)
	}
	return nil
}

// wait answers when its time has come.
func (a answer) wait(ctx context.Context) error {
	var due <-chan time.Time // never, if it hangs
	if !a.hangs {
		timer := time.NewTimer(a.after)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
		return status.Error(a.code, "as the script has it")
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// scripted is the address of the server that follows the script.
type scripted struct{}

func (scripted) Network() string { return "script" }

func (scripted) String() string { return "script" }
