package rules

import (
	"go/ast"
	"path"
	"strings"
)

// nameBan refuses the use of names of a package outside some functions.
type nameBan struct {
	path string
	// names are exact, or end in * and are prefixes.
	names []string
	// except allows the use in a function of a file; function is "" outside functions.
	except func(f *file, function string) bool
	remedy string
}

func nameBans() []nameBan {
	const (
		own    = "keep it in a value that the caller makes and closes"
		logger = "take a *slog.Logger from the caller"
		ending = "return an error; only main ends the process"
	)
	return []nameBan{
		{"os", []string{"Exit"}, inMain, ending},
		{"log", []string{"Fatal*", "Panic*"}, inMain, ending},
		{"log", []string{"Set*", "Print*", "Default"}, inMain, logger},
		{
			"os",
			[]string{"Setenv", "Unsetenv", "Clearenv", "Chdir"},
			inMain,
			"take the value as a parameter; a test has t.Setenv and t.Chdir",
		},
		{"os/signal", []string{"*"}, inMain, "take a context; only main listens to signals"},
		{"fmt", []string{"Print*"}, inMain, "write to an io.Writer from the caller"},
		{"log/slog", []string{"SetDefault", "SetLogLoggerLevel"}, inMain, logger},
		{
			"log/slog",
			[]string{
				"Debug", "DebugContext", "Info", "InfoContext", "Warn", "WarnContext", "Error", "ErrorContext", "Log", "LogAttrs",
			},
			inMain, logger,
		},
		{
			"go.opentelemetry.io/otel",
			[]string{"Set*", "Get*", "Tracer", "Meter", "Handle"},
			never,
			"take the provider or propagator from the caller",
		},
		{"go.opentelemetry.io/otel/log/global", []string{"*"}, never, "take the provider from the caller"},
		{
			"github.com/prometheus/client_golang/prometheus",
			[]string{"Default*", "Register", "MustRegister", "Unregister"},
			never, "use a registry of your own (prometheus.NewRegistry)",
		},
		{"github.com/prometheus/client_golang/prometheus/promauto", []string{"New*"}, never, "use promauto.With(registry)"},
		{
			"github.com/prometheus/client_golang/prometheus/promhttp",
			[]string{"Handler"},
			never,
			"use promhttp.HandlerFor(registry, ...)",
		},
		{"net/http", []string{"Handle", "HandleFunc"}, never, "use http.NewServeMux"},
		{"net/http", []string{"DefaultServeMux"}, inTest, "use http.NewServeMux"},
		{
			"net/http",
			[]string{"Get", "Head", "Post", "PostForm", "DefaultClient", "ListenAndServe*"},
			never, "use an http.Client or http.Server of your own, with timeouts",
		},
		{"expvar", []string{"*"}, never, own},
		{
			"google.golang.org/grpc/resolver",
			[]string{"Register", "SetDefaultScheme"},
			never,
			"pass the builder with grpc.WithResolvers",
		},
		{"google.golang.org/grpc/encoding", []string{"Register*"}, never, "pass the codec with grpc.ForceCodecV2"},
		{"google.golang.org/grpc/grpclog", []string{"Set*"}, never, own},
		{
			"google.golang.org/grpc/balancer",
			[]string{"Register"},
			inInit,
			"register balancers in func init, the only moment that grpc allows",
		},
		{"google.golang.org/grpc", []string{"EnableTracing"}, never, own},
		{
			"github.com/lestrrat-go/jwx/v2/jwk",
			[]string{"NewCache", "Fetch", "Configure"},
			never,
			"fetch and keep keys with internal/jose",
		},
		{"unsafe", []string{"Pointer", "Add", "Slice*", "String*"}, never, "do without; only unsafe.Sizeof is safe"},
		{"context", []string{"TODO"}, never, "take a context from the caller"},
		{
			"time",
			[]string{"Sleep"},
			maySleep,
			"select on a timer and ctx.Done(); a test sleeps only in a bubble of testing/synctest",
		},
		{"time", []string{"Tick"}, never, "use time.NewTicker and stop it"},
	}
}

func checkGlobals(t *Tree) []Finding {
	bans := nameBans()
	var findings []Finding
	for _, f := range t.files {
		for _, decl := range f.syntax.Decls {
			function := functionName(decl)
			ast.Inspect(decl, func(n ast.Node) bool {
				selector, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				pkg, ok := selector.X.(*ast.Ident)
				if !ok {
					return true
				}
				imported, name := f.imports[pkg.Name], selector.Sel.Name
				for _, ban := range bans {
					if imported == ban.path && matches(ban.names, name) && !ban.except(f, function) {
						findings = append(findings, Finding{
							Pos: t.at(selector), What: pkg.Name + "." + name + " is not used here", Remedy: ban.remedy,
						})
					}
				}
				return true
			})
		}
	}
	return findings
}

func functionName(decl ast.Decl) string {
	if f, ok := decl.(*ast.FuncDecl); ok {
		return f.Name.Name
	}
	return ""
}

func matches(patterns []string, name string) bool {
	for _, pattern := range patterns {
		prefix, open := strings.CutSuffix(pattern, "*")
		if name == pattern || open && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func never(*file, string) bool { return false }

// inMain allows programs, examples, which stand for programs, and TestMain.
func inMain(f *file, function string) bool {
	return f.program() || f.example(function) || f.test && function == "TestMain"
}

// example reports whether a function is an example or stands in a file of examples.
func (f *file) example(function string) bool {
	return f.test && (strings.HasPrefix(function, "Example") || strings.HasPrefix(path.Base(f.path), "example"))
}

// inTest allows tests, which may look at what others have left in a global.
func inTest(f *file, _ string) bool { return f.test }

func inInit(_ *file, function string) bool { return function == "init" }

// sleepsAllowed lists the library files that may sleep, each with its reason.
func sleepsAllowed() map[string]string {
	return map[string]string{
		"framework/drain.go": "each wait of a drain is bounded by the configuration, and nothing may cut it short",
	}
}

func maySleep(f *file, function string) bool {
	if !f.test {
		return f.program() || sleepsAllowed()[f.path] != ""
	}
	return f.virtual || f.example(function)
}
