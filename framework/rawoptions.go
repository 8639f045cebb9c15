package framework

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// Raw gRPC options are functions, so their effect is not visible. Therefore each option is applied to a separate client
// or server, which is closed at once. The fields that it changed there decide: the option is refused if it would
// replace a part of Parley, or if this package does not know a field, as after an update of gRPC.

// refusal is the reason why an option is refused: the gRPC options that change the field, and the replacement.
type refusal struct{ options, instead string }

// allowed marks fields that options may change.
var allowed = refusal{}

// dialFields returns the decisions about the fields of a grpc.ClientConn that dial options change.
func dialFields(client string) map[string]refusal {
	setting := func(names string) string { return "use clients." + client + "." + names + " in the configuration" }
	inside := refusal{
		"an interceptor", "use WithCallInterceptors or WithAttemptInterceptors, whose calls are authenticated after them",
	}
	transport := refusal{
		"transport credentials", "Parley's own authenticate both ends; " + setting("mode, ca_file and server_name"),
	}
	waits := refusal{"connect parameters", "Parley sets them itself; leave the option out"}
	dialer := refusal{"a dialer", "use WithDialer"}
	return map[string]refusal{
		"unaryInt": inside, "streamInt": inside, "chainUnaryInts": inside, "chainStreamInts": inside,
		"copts.TransportCredentials": transport, "copts.CredsBundle": transport,
		"authority":       {"WithAuthority", "in the modes prefer and token " + setting("server_name")},
		"maxCallAttempts": {"WithMaxCallAttempts", "gRPC's own retry is off; state retry.max_attempts in the policy"},
		"bs":              waits, "minConnectTimeout": waits,
		"copts.Dialer": dialer, "useProxy": allowed,
		"compressorV0": allowed, "dc": allowed, "block": allowed, "returnLastError": allowed, "timeout": allowed,
		"binaryLogger": allowed, "callOptions": allowed, "channelzParent": allowed, "disableServiceConfig": allowed,
		"disableRetry": allowed, "disableHealthCheck": allowed, "idleTimeout": allowed, "resolvers": allowed,
		"enableLocalDNSResolution": allowed,
		"defaultServiceConfig":     allowed, "defaultServiceConfigRawJSON": allowed, // merged, see methodConfig
		"copts.UserAgent": allowed, "copts.FailOnNonTempDialError": allowed, "copts.PerRPCCredentials": allowed,
		"copts.KeepaliveParams": allowed, // merged, see pings
		"copts.StatsHandlers":   allowed, "copts.InitialWindowSize": allowed, "copts.InitialConnWindowSize": allowed,
		"copts.WriteBufferSize": allowed, "copts.ReadBufferSize": allowed, "copts.SharedWriteBuffer": allowed,
		"copts.ChannelzParent": allowed, "copts.MaxHeaderListSize": allowed, "copts.BufferPool": allowed,
		"copts.StaticWindowSize": allowed,
	}
}

// serverFields returns the decisions about the fields of a grpc.Server that server options change.
func serverFields(setting func(name string) string) map[string]refusal {
	inside := refusal{"an interceptor", "use WithHandlerInterceptors, which run after the caller was authenticated"}
	return map[string]refusal{
		"unaryInt": inside, "streamInt": inside, "chainUnaryInts": inside, "chainStreamInts": inside,
		"inTapHandle": {"InTapHandle", "it runs before the caller is authenticated; use WithHandlerInterceptors"},
		"creds": {
			"Creds",
			"Parley's own authenticate both ends; set carriers and tls " + setting("carriers") + " and " + setting("tls"),
		},
		"keepaliveParams": allowed, // merged, see keepaliveOptions
		"keepalivePolicy": allowed, // merged, see keepaliveOptions
		"waitForHandlers": {
			"WaitForHandlers",
			"the stop waits for lifecycle.grace, and reports handlers that still run; leave it out",
		},
		"connectionTimeout": {"ConnectionTimeout", "Parley limits its handshake itself; leave the option out"},
		"streamWrapper":     {"an internal option", "leave it out"},
		"codec":             allowed, "cp": allowed, "dc": allowed, "binaryLogger": allowed, "statsHandlers": allowed,
		"maxConcurrentStreams":  allowed, // merged, see limitOptions
		"maxHeaderListSize":     allowed, // merged, see limitOptions
		"maxReceiveMessageSize": allowed, "maxSendMessageSize": allowed,
		"unknownStreamDesc": allowed, "initialWindowSize": allowed, "initialConnWindowSize": allowed,
		"writeBufferSize": allowed, "readBufferSize": allowed, "sharedWriteBuffer": allowed,
		"headerTableSize": allowed, "numServerWorkers": allowed, "bufferPool": allowed, "staticWindowSize": allowed,
	}
}

// rawDialOptions are the values of raw dial options that are merged with Parley's own, and the errors for refused
// options.
type rawDialOptions struct {
	once      sync.Once
	keepalive keepalive.ClientParameters
	methods   []map[string]any // the methodConfig of a default service config

	resolvers bool // the program has its own resolvers
	err       error
}

// read reads the options of a client, once. The name of the client is for errors. A controlled client has a control
// plane.
func (raw *rawDialOptions) read(options []grpc.DialOption, client string, controlled bool) {
	raw.once.Do(func() { raw.err = raw.readAll(options, client, controlled) })
}

func (raw *rawDialOptions) readAll(options []grpc.DialOption, client string, controlled bool) error {
	fields := dialFields(client)
	if controlled {
		fields["disableServiceConfig"] = refusal{"WithDisableServiceConfig", "the control plane sends one; leave it out"}
		fields["defaultServiceConfigRawJSON"] = refusal{
			"WithDefaultServiceConfig",
			"the control plane sends one; leave it out",
		}
	}
	var errs []error
	stated := 0
	for n, option := range options {
		where := fmt.Sprintf("Client(%q): WithDialOptions: option %d", client, n+1)
		if option == nil {
			errs = append(errs, fmt.Errorf("%s is nil; remove it", where))
			continue
		}
		changed, err := dialChanges(option)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", where, err))
			continue
		}
		errs = append(errs, decide(where, changed, fields))
		if _, ok := changed["resolvers"]; ok {
			raw.resolvers = true
		}
		if params, ok := changed["copts.KeepaliveParams"]; ok {
			raw.keepalive = keepalive.ClientParameters{
				Time: durationOf(params, "Time"), Timeout: durationOf(params, "Timeout"),
			}
		}
		if text, ok := serviceConfigOf(changed); ok {
			stated++
			if raw.methods, err = methodConfig(text); err != nil {
				errs = append(errs, fmt.Errorf("%s: WithDefaultServiceConfig: %w", where, err))
			}
		}
	}
	if stated > 1 {
		errs = append(errs, fmt.Errorf("Client(%q): WithDialOptions: WithDefaultServiceConfig is given %d times; "+
			"gRPC takes one, so write one", client, stated))
	}
	return errors.Join(errs...)
}

// rawServerOptions are the values of raw server options that are merged with Parley's own, and the errors for refused
// options.
type rawServerOptions struct {
	once      sync.Once
	keepalive keepalive.ServerParameters
	minPing   time.Duration // the shortest accepted time between two pings of a client
	calls     uint32        // at once on a connection, 0 where no option states it
	metadata  uint32        // bytes of a call, 0 where no option states it
	err       error
}

// read reads the options of a server, once. Setting returns the name of a value of the server in the configuration, for
// errors.
func (raw *rawServerOptions) read(options []grpc.ServerOption, addr string, setting func(string) string) {
	raw.once.Do(func() { raw.err = raw.readAll(options, addr, setting) })
}

func (raw *rawServerOptions) readAll(options []grpc.ServerOption, addr string, setting func(string) string) error {
	var errs []error
	for n, option := range options {
		where := fmt.Sprintf("Server(%q): WithServerOptions: option %d", addr, n+1)
		if option == nil {
			errs = append(errs, fmt.Errorf("%s is nil; remove it", where))
			continue
		}
		changed, err := serverChanges(option)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", where, err))
			continue
		}
		errs = append(errs, decide(where, changed, serverFields(setting)))
		if policy, ok := changed["keepalivePolicy"]; ok {
			raw.minPing = durationOf(policy, "MinTime")
		}
		if calls, ok := changed["maxConcurrentStreams"]; ok {
			raw.calls = boundOf(calls)
		}
		if metadata, ok := changed["maxHeaderListSize"]; ok {
			raw.metadata = boundOf(metadata)
		}
		if params, ok := changed["keepaliveParams"]; ok {
			raw.keepalive = keepalive.ServerParameters{
				Time:                  durationOf(params, "Time"),
				Timeout:               durationOf(params, "Timeout"),
				MaxConnectionIdle:     durationOf(params, "MaxConnectionIdle"),
				MaxConnectionAge:      durationOf(params, "MaxConnectionAge"),
				MaxConnectionAgeGrace: durationOf(params, "MaxConnectionAgeGrace"),
			}
		}
	}
	return errors.Join(errs...)
}

// decide returns an error if an option that changed these fields is refused.
func decide(where string, changed map[string]reflect.Value, fields map[string]refusal) error {
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		switch r, decided := fields[name]; {
		case !decided:
			return fmt.Errorf("%s changes %s of gRPC, which this version of Parley does not know, so it is refused; "+
				"leave it out, or update Parley", where, name)
		case r != allowed:
			return fmt.Errorf("%s sets %s, and would replace Parley's own: %s", where, r.options, r.instead)
		}
	}
	return nil
}

// dialChanges returns the fields of a grpc.ClientConn that option changes, by name.
func dialChanges(option grpc.DialOption) (map[string]reflect.Value, error) {
	secure := grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13}))
	fields := func(options ...grpc.DialOption) (map[string]reflect.Value, error) {
		conn, err := grpc.NewClient("passthrough:///probe", options...)
		if err != nil {
			return nil, err
		}
		defer func() { _ = conn.Close() }()
		return fieldsOf(conn, "dopts")
	}
	plain, err := fields(secure)
	if err != nil {
		return nil, err
	}
	with, err := fields(secure, option)
	if err != nil {
		// A bundle of credentials cannot be combined with other credentials.
		if alone, aloneErr := fields(option); aloneErr == nil {
			with, err = alone, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("gRPC refuses it, so correct it or leave it out: %w", err)
	}
	return changes(plain, with), nil
}

// serverChanges returns the fields of a grpc.Server that option changes, by name.
func serverChanges(option grpc.ServerOption) (map[string]reflect.Value, error) {
	fields := func(options ...grpc.ServerOption) (map[string]reflect.Value, error) {
		server := grpc.NewServer(options...)
		defer server.Stop()
		return fieldsOf(server, "opts")
	}
	plain, err := fields()
	if err != nil {
		return nil, err
	}
	with, err := fields(option)
	if err != nil {
		return nil, err
	}
	return changes(plain, with), nil
}

// fieldsOf returns the fields of the options in a client or server of gRPC.
func fieldsOf(of any, name string) (map[string]reflect.Value, error) {
	options := reflect.ValueOf(of).Elem().FieldByName(name)
	if !options.IsValid() || options.Kind() != reflect.Struct {
		return nil, errors.New(
			"this version of gRPC does not show what an option does, so it is refused; leave it out, or update Parley",
		)
	}
	fields := map[string]reflect.Value{}
	for i := range options.NumField() {
		field := options.Field(i)
		if name := options.Type().Field(i).Name; name == "copts" && field.Kind() == reflect.Struct {
			for j := range field.NumField() {
				fields[name+"."+field.Type().Field(j).Name] = field.Field(j)
			}
		} else {
			fields[name] = field
		}
	}
	return fields, nil
}

func changes(plain, with map[string]reflect.Value) map[string]reflect.Value {
	changed := map[string]reflect.Value{}
	for name, value := range with {
		if !same(plain[name], value, 4) {
			changed[name] = value
		}
	}
	return changed
}

// same reports whether two values are equal, down to a depth. It reads unexported fields, for which DeepEqual cannot be
// used.
func same(a, b reflect.Value, depth int) bool {
	if a.IsValid() != b.IsValid() {
		return false
	}
	if !a.IsValid() || depth == 0 {
		return true
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Interface:
		return same(a.Elem(), b.Elem(), depth)
	case reflect.Pointer:
		return a.Pointer() == b.Pointer() || same(a.Elem(), b.Elem(), depth-1)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return a.Pointer() == b.Pointer()
	case reflect.Map:
		return a.Len() == b.Len()
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i), depth-1) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i), depth-1) {
				return false
			}
		}
		return true
	default:
		return a.Equal(b)
	}
}

// serviceConfigOf returns the default service config that an option sets.
func serviceConfigOf(changed map[string]reflect.Value) (string, bool) {
	text, ok := changed["defaultServiceConfigRawJSON"]
	if !ok || text.Kind() != reflect.Pointer || text.IsNil() {
		return "", false
	}
	return text.Elem().String(), true
}

// methodConfig returns the methodConfig of a default service config. The other fields are refused, because Parley sets
// them.
func methodConfig(text string) ([]map[string]any, error) {
	var stated map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &stated); err != nil {
		return nil, fmt.Errorf("want a JSON object, such as {\"methodConfig\": []}: %w", err)
	}
	instead := map[string]string{
		"loadBalancingConfig": "use balancing of the client's configuration, or WithBalancing",
		"loadBalancingPolicy": "use balancing of the client's configuration, or WithBalancing",
		"retryThrottling":     "use retry_budget of the client's configuration",
		"healthCheckConfig":   "Parley watches the health of each server as a whole; leave it out",
	}
	var methods []map[string]any
	for _, key := range slices.Sorted(maps.Keys(stated)) {
		if key != "methodConfig" {
			advice := instead[key]
			if advice == "" {
				advice = "leave it out"
			}
			return nil, fmt.Errorf("%s would replace Parley's own: %s", key, advice)
		}
		if err := json.Unmarshal(stated[key], &methods); err != nil {
			return nil, fmt.Errorf("methodConfig: %w", err)
		}
	}
	for _, m := range methods {
		// gRPC's own retry is off, so these have no effect.
		delete(m, "retryPolicy")
		delete(m, "hedgingPolicy")
	}
	return methods, nil
}

// boundOf reads a bound, 0 where gRPC keeps it in another way than expected.
func boundOf(value reflect.Value) uint32 {
	if value.Kind() == reflect.Pointer {
		value = value.Elem()
	}
	if !value.IsValid() || !value.CanUint() {
		return 0
	}
	return uint32(min(value.Uint(), math.MaxUint32))
}

// durationOf reads a duration of keepalive parameters. It returns 0 if they do not have the field.
func durationOf(params reflect.Value, name string) time.Duration {
	if field := params.FieldByName(name); field.IsValid() && field.CanInt() {
		return time.Duration(field.Int())
	}
	return 0
}
