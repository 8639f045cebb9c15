package framework_test

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/credentials/local"
	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/tap"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

type (
	silentStats struct{ stats.Handler }
	callToken   struct{}
	bundle      struct{ credentials.Bundle }
	codec       struct{}
)

func (callToken) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return nil, nil
}
func (callToken) RequireTransportSecurity() bool { return true }
func (bundle) TransportCredentials() credentials.TransportCredentials {
	return insecure.NewCredentials()
}
func (bundle) PerRPCCredentials() credentials.PerRPCCredentials { return nil }
func (codec) Marshal(v any) ([]byte, error)                     { return json.Marshal(v) }
func (codec) Unmarshal(data []byte, v any) error                { return json.Unmarshal(data, v) }
func (codec) Name() string                                      { return "json" }
func (codec) String() string                                    { return "json" }

const (
	mergedOption  = "merged"
	allowedOption = "allowed"
)

// fate is what becomes of a raw option: merged, allowed, or the remedy of its refusal.
type fate[T any] struct {
	option T
	want   string
}

func dialOptions() map[string]fate[grpc.DialOption] {
	const interceptors, transport, waits = "use WithCallInterceptors or " +
		"WithAttemptInterceptors", "clients.payments.mode", "Parley sets them itself"
	unary := func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
		opts ...grpc.CallOption,
	) error {
		return invoker(ctx, method, req, reply, cc, opts...)
	}
	stream := func(
		ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer,
		opts ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		return streamer(ctx, desc, cc, method, opts...)
	}
	return map[string]fate[grpc.DialOption]{
		"FailOnNonTempDialError":     {grpc.FailOnNonTempDialError(true), allowedOption},
		"WithAuthority":              {grpc.WithAuthority("bank.example"), "clients.payments.server_name"},
		"WithBackoffConfig":          {grpc.WithBackoffConfig(grpc.BackoffConfig{MaxDelay: time.Second}), waits},
		"WithBackoffMaxDelay":        {grpc.WithBackoffMaxDelay(time.Second), waits},
		"WithBlock":                  {grpc.WithBlock(), allowedOption},
		"WithBufferPool":             {experimental.WithBufferPool(mem.NopBufferPool{}), allowedOption},
		"WithChainStreamInterceptor": {grpc.WithChainStreamInterceptor(stream), interceptors},
		"WithChainUnaryInterceptor":  {grpc.WithChainUnaryInterceptor(unary), interceptors},
		"WithChannelzParentID":       {grpc.WithChannelzParentID(nil), allowedOption},
		"WithCodec":                  {grpc.WithCodec(codec{}), allowedOption},
		"WithCompressor":             {grpc.WithCompressor(grpc.NewGZIPCompressor()), allowedOption},
		"WithConnectParams": {
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{MaxDelay: time.Hour}}),
			waits,
		},
		"WithContextDialer": {
			grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return nil, nil }),
			"use WithDialer",
		},
		"WithCredentialsBundle":  {grpc.WithCredentialsBundle(bundle{}), transport},
		"WithDecompressor":       {grpc.WithDecompressor(grpc.NewGZIPDecompressor()), allowedOption},
		"WithDefaultCallOptions": {grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1)), allowedOption},
		"WithDefaultServiceConfig": {
			grpc.WithDefaultServiceConfig(`{"methodConfig":[{"name":[{}],"timeout":"9s"}]}`),
			mergedOption,
		},
		"WithDialer": {
			grpc.WithDialer(func(string, time.Duration) (net.Conn, error) { return nil, nil }),
			"use WithDialer",
		},
		"WithDisableHealthCheck":    {grpc.WithDisableHealthCheck(), allowedOption},
		"WithDisableRetry":          {grpc.WithDisableRetry(), allowedOption},
		"WithDisableServiceConfig":  {grpc.WithDisableServiceConfig(), allowedOption},
		"WithIdleTimeout":           {grpc.WithIdleTimeout(time.Minute), allowedOption},
		"WithInitialConnWindowSize": {grpc.WithInitialConnWindowSize(1 << 20), allowedOption},
		"WithInitialWindowSize":     {grpc.WithInitialWindowSize(1 << 20), allowedOption},
		"WithInsecure":              {grpc.WithInsecure(), transport},
		"WithKeepaliveParams": {
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute}),
			mergedOption,
		},
		"WithLocalDNSResolution":     {grpc.WithLocalDNSResolution(), allowedOption},
		"WithMaxCallAttempts":        {grpc.WithMaxCallAttempts(9), "retry.max_attempts"},
		"WithMaxHeaderListSize":      {grpc.WithMaxHeaderListSize(1), allowedOption},
		"WithMaxMsgSize":             {grpc.WithMaxMsgSize(1), allowedOption},
		"WithNoProxy":                {grpc.WithNoProxy(), allowedOption},
		"WithPerRPCCredentials":      {grpc.WithPerRPCCredentials(callToken{}), allowedOption},
		"WithReadBufferSize":         {grpc.WithReadBufferSize(1), allowedOption},
		"WithResolvers":              {grpc.WithResolvers(manual.NewBuilderWithScheme("x")), allowedOption},
		"WithReturnConnectionError":  {grpc.WithReturnConnectionError(), allowedOption},
		"WithSharedWriteBuffer":      {grpc.WithSharedWriteBuffer(false), allowedOption},
		"WithStaticConnWindowSize":   {grpc.WithStaticConnWindowSize(1 << 20), allowedOption},
		"WithStaticStreamWindowSize": {grpc.WithStaticStreamWindowSize(1 << 20), allowedOption},
		"WithStatsHandler":           {grpc.WithStatsHandler(silentStats{}), allowedOption},
		"WithStreamInterceptor":      {grpc.WithStreamInterceptor(stream), interceptors},
		"WithTimeout":                {grpc.WithTimeout(time.Second), allowedOption},
		"WithTransportCredentials":   {grpc.WithTransportCredentials(insecure.NewCredentials()), transport},
		"WithUnaryInterceptor":       {grpc.WithUnaryInterceptor(unary), interceptors},
		"WithUserAgent":              {grpc.WithUserAgent("shop"), allowedOption},
		"WithWriteBufferSize":        {grpc.WithWriteBufferSize(1), allowedOption},
	}
}

func serverOptions() map[string]fate[grpc.ServerOption] {
	const interceptors = "use WithHandlerInterceptors"
	unary := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return handler(ctx, req)
	}
	stream := func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		return handler(srv, ss)
	}
	return map[string]fate[grpc.ServerOption]{
		"BufferPool":             {experimental.BufferPool(mem.NopBufferPool{}), allowedOption},
		"ChainStreamInterceptor": {grpc.ChainStreamInterceptor(stream), interceptors},
		"ChainUnaryInterceptor":  {grpc.ChainUnaryInterceptor(unary), interceptors},
		"ConnectionTimeout":      {grpc.ConnectionTimeout(time.Hour), "limits its handshake itself"},
		"Creds":                  {grpc.Creds(local.NewCredentials()), "with servers.payments.tls"},
		"CustomCodec":            {grpc.CustomCodec(codec{}), allowedOption},
		"ForceServerCodec":       {grpc.ForceServerCodec(codec{}), allowedOption},
		"ForceServerCodecV2":     {grpc.ForceServerCodecV2(encoding.GetCodecV2(encodingproto.Name)), allowedOption},
		"HeaderTableSize":        {grpc.HeaderTableSize(1), allowedOption},
		"InTapHandle": {
			grpc.InTapHandle(func(ctx context.Context, _ *tap.Info) (context.Context, error) { return ctx, nil }),
			interceptors,
		},
		"InitialConnWindowSize": {grpc.InitialConnWindowSize(1 << 20), allowedOption},
		"InitialWindowSize":     {grpc.InitialWindowSize(1 << 20), allowedOption},
		"KeepaliveEnforcementPolicy": {
			grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Hour}),
			mergedOption,
		},
		"KeepaliveParams": {
			grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute}),
			mergedOption,
		},
		"MaxConcurrentStreams":   {grpc.MaxConcurrentStreams(9), mergedOption},
		"MaxHeaderListSize":      {grpc.MaxHeaderListSize(1), mergedOption},
		"MaxMsgSize":             {grpc.MaxMsgSize(1), allowedOption},
		"MaxRecvMsgSize":         {grpc.MaxRecvMsgSize(1), allowedOption},
		"MaxSendMsgSize":         {grpc.MaxSendMsgSize(1), allowedOption},
		"NumStreamWorkers":       {grpc.NumStreamWorkers(1), allowedOption},
		"RPCCompressor":          {grpc.RPCCompressor(grpc.NewGZIPCompressor()), allowedOption},
		"RPCDecompressor":        {grpc.RPCDecompressor(grpc.NewGZIPDecompressor()), allowedOption},
		"ReadBufferSize":         {grpc.ReadBufferSize(1), allowedOption},
		"SharedWriteBuffer":      {grpc.SharedWriteBuffer(false), allowedOption},
		"StaticConnWindowSize":   {grpc.StaticConnWindowSize(1 << 20), allowedOption},
		"StaticStreamWindowSize": {grpc.StaticStreamWindowSize(1 << 20), allowedOption},
		"StatsHandler":           {grpc.StatsHandler(silentStats{}), allowedOption},
		"StreamInterceptor":      {grpc.StreamInterceptor(stream), interceptors},
		"UnaryInterceptor":       {grpc.UnaryInterceptor(unary), interceptors},
		"UnknownServiceHandler": {
			grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return nil }),
			allowedOption,
		},
		"WaitForHandlers": {grpc.WaitForHandlers(true), "leave it out"},
		"WriteBufferSize": {grpc.WriteBufferSize(1), allowedOption},
	}
}

// Every option that gRPC has is merged, allowed or refused, and none of the refused ones reaches gRPC.
func TestEveryDialOptionIsDecided(t *testing.T) {
	t.Parallel()
	table := dialOptions()
	for _, name := range grpcOptions(t, "DialOption") {
		if _, ok := table[name]; !ok {
			t.Errorf("nobody has decided about grpc.%s", name)
		}
	}
	for name, o := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := frameworktest.NewNetwork(t)
			app := n.App("orders")
			app.Client("payments", framework.WithDialOptions(o.option))
			checkFate(t, app.Check(), o.want, `Client("payments"): WithDialOptions: option 1`)
		})
	}
}

func TestEveryServerOptionIsDecided(t *testing.T) {
	t.Parallel()
	table := serverOptions()
	for _, name := range grpcOptions(t, "ServerOption") {
		if _, ok := table[name]; !ok {
			t.Errorf("nobody has decided about grpc.%s", name)
		}
	}
	for name, o := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := frameworktest.NewNetwork(t)
			app := n.App("payments")
			paymentsv1.RegisterPaymentsServiceServer(n.Server(app, framework.WithServerOptions(o.option)), &bank{})
			checkFate(t, app.Check(), o.want, "WithServerOptions: option 1")
		})
	}
}

func checkFate(t *testing.T, err error, want, place string) {
	t.Helper()
	switch want {
	case mergedOption, allowedOption:
		if err != nil {
			t.Errorf("Check = %v, want that the option is %s", err, want)
		}
	default:
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), place) {
			t.Errorf("Check = %v, want a refusal at %q that says %q", err, place, want)
		}
	}
}

// grpcOptions lists the exported functions of gRPC that return an option of a kind.
func grpcOptions(t *testing.T, kind string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "google.golang.org/grpc").Output()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, folder := range []string{".", "experimental"} {
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal("gRPC's files are not there:", err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range parsed.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
					continue
				}
				result := f.Type.Results.List[0].Type
				if qualified, ok := result.(*ast.SelectorExpr); ok {
					result = qualified.Sel
				}
				if name, ok := result.(*ast.Ident); ok && name.Name == kind {
					names = append(names, f.Name.Name)
				}
			}
		}
	}
	if len(names) < 25 {
		t.Fatalf("gRPC has %d options of the kind %s: %v", len(names), kind, names)
	}
	return names
}

func TestAServiceConfigOfTheProgramIsMerged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		var served [3]atomic.Int32
		for i := range served {
			n.Run(replica(n, &bank{quote: func(ctx context.Context) error {
				served[i].Add(1)
				<-ctx.Done()
				return ctx.Err()
			}}))
		}
		calls := paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments", framework.WithDialOptions(
			grpc.WithDefaultServiceConfig(`{"methodConfig":[{"name":[{}],"timeout":"0.1s"}]}`))))
		for range 30 {
			started := time.Now()
			if _, err := calls.Charge(t.Context(), &paymentsv1.ChargeRequest{}); err != nil {
				t.Fatal(err)
			}
			_, _ = calls.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{})
			if took := time.Since(started); took > 2*time.Second {
				t.Fatalf("the call took %v", took)
			}
		}
		for i := range served {
			if served[i].Load() == 0 {
				t.Errorf("replica %d was not called", i)
			}
		}
	})
}

func TestAServiceConfigThatReplacesParleysIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"loadBalancingConfig":[{"round_robin":{}}]}`:       "WithBalancing",
		`{"loadBalancingPolicy":"pick_first"}`:               "WithBalancing",
		`{"retryThrottling":{"maxTokens":9,"tokenRatio":1}}`: "retry_budget",
		`{"healthCheckConfig":{"serviceName":"x"}}`:          "leave it out",
		`{`: "gRPC refuses it",
	} {
		n := frameworktest.NewNetwork(t)
		app := n.App("orders")
		app.Client("payments", framework.WithDialOptions(grpc.WithDefaultServiceConfig(text)))
		if err := app.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Check = %v, want %q", text, err, want)
		}
	}
}

// Keepalive of raw options takes the place of Parley's defaults, and the age of connections stays.
func TestKeepaliveOfRawOptionsIsMerged(t *testing.T) {
	t.Parallel()
	n := frameworktest.NewNetwork(t)
	app := n.App("payments")
	server := n.Server(app, framework.WithServerOptions(grpc.KeepaliveParams(
		keepalive.ServerParameters{Time: 41 * time.Second, MaxConnectionAge: 48 * time.Hour},
	)))
	paymentsv1.RegisterPaymentsServiceServer(server, &bank{})
	app.Client("mail", framework.WithDialOptions(grpc.WithKeepaliveParams(
		keepalive.ClientParameters{Time: 43 * time.Second},
	)))
	if err := app.Check(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := app.Describe(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"keepalive after 41s", "keepalive after 43s"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("Describe does not show %q:\n%s", want, text.String())
		}
	}
	if age := framework.ConnectionAgeOf(server); age <= 0 || age > 30*time.Minute {
		t.Errorf("connections live for %v, want Parley's own bound", age)
	}
}

// A server that takes bearer tokens reads requests before it knows their caller. So raw options lower the bounds of
// what strangers may begin, and do not raise them. A server of connection mode alone knows its callers before.
func TestRawOptionsDoNotRaiseTheBoundsOfStrangers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tokens          bool
		options         []grpc.ServerOption
		calls, metadata uint32
	}{
		"none": {true, nil, 250, 32 << 10},
		"higher": {
			true, []grpc.ServerOption{grpc.MaxConcurrentStreams(251), grpc.MaxHeaderListSize(1 << 20)}, 250, 32 << 10,
		},
		"without a bound": {true, []grpc.ServerOption{grpc.MaxConcurrentStreams(0)}, 250, 32 << 10},
		"lower": {
			true, []grpc.ServerOption{grpc.MaxConcurrentStreams(9), grpc.MaxHeaderListSize(1 << 10)}, 9, 1 << 10,
		},
		"the last counts": {
			true, []grpc.ServerOption{grpc.MaxConcurrentStreams(9), grpc.MaxConcurrentStreams(1000)}, 250, 32 << 10,
		},
		"in connection mode": {
			false, []grpc.ServerOption{grpc.MaxConcurrentStreams(251), grpc.MaxHeaderListSize(1 << 20)}, 251, 1 << 20,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := frameworktest.NewNetwork(t)
			var config []framework.Option
			if test.tokens {
				cert, key := certificateFor(t)
				config = append(config, framework.WithConfigFile(writeFile(t,
					fmt.Sprintf("servers: {payments: {carriers: [token], tls: {cert: %q, key: %q}}}\n", cert, key))))
			}
			app := n.App("payments", config...)
			server := n.Server(app, framework.WithServerOptions(test.options...))
			paymentsv1.RegisterPaymentsServiceServer(server, &bank{})
			n.Run(app)
			if calls, metadata := framework.LimitsOf(server); calls != test.calls || metadata != test.metadata {
				t.Errorf("%d calls at once and %d bytes of metadata, want %d and %d", calls, metadata, test.calls, test.metadata)
			}
		})
	}
}

// docs/operation.md says of every option what becomes of it.
func TestTheDocumentNamesEveryOption(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/operation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "### Merged")
	merged, rest, _ := strings.Cut(rest, "### Allowed")
	allowed, rest, _ := strings.Cut(rest, "### Refused")
	refused, _, _ := strings.Cut(rest, "\n## ")
	stated := func(name, want string) {
		section := refused
		switch want {
		case mergedOption:
			section = merged
		case allowedOption:
			section = allowed
		}
		if !strings.Contains(section, "`"+name+"`") {
			t.Errorf("%s is %q, and does not stand in that section", name, want)
		}
	}
	for name, o := range dialOptions() {
		stated(name, o.want)
	}
	for name, o := range serverOptions() {
		stated(name, o.want)
	}
}
