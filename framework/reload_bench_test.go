package framework_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
)

// A service of 1,000 methods, and a configuration file with 5,000 rules about them.
const (
	manyServices = 20
	methodsEach  = 50
	serviceRules = 10 // that hold for each method of a service
	ownedMethods = 40 // of a service, which have rules of their own
	methodRules  = 6
)

// describeMany registers the descriptors of the services, once.
var describeMany = sync.OnceValue(func() error {
	file := &descriptorpb.FileDescriptorProto{
		Name: new("bench/many.proto"), Package: new("bench"), Syntax: new("proto3"),
		Dependency: []string{emptypb.File_google_protobuf_empty_proto.Path()},
	}
	for i := range manyServices {
		service := &descriptorpb.ServiceDescriptorProto{Name: new(fmt.Sprintf("Service%d", i))}
		for j := range methodsEach {
			service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
				Name:      new(fmt.Sprintf("Method%d", j)),
				InputType: new(".google.protobuf.Empty"), OutputType: new(".google.protobuf.Empty"),
			})
		}
		file.Service = append(file.Service, service)
	}
	described, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		return err
	}
	return protoregistry.GlobalFiles.RegisterFile(described)
})

// manyPolicies is the configuration. Changed is a peer of one rule.
func manyPolicies(changed string) string {
	var b strings.Builder
	b.WriteString("policies:\n")
	state := func(key, name, peer string, rules int) {
		fmt.Fprintf(&b, "  %s:\n    auth:\n      allow:\n", key)
		for i := range rules {
			fmt.Fprintf(&b, "      - name: %s-%d\n        peers: [%s-%d, batch]\n", name, i, peer, i)
			if i%2 == 1 {
				b.WriteString("        audiences: [many, more]\n")
			}
		}
	}
	for i := range manyServices {
		state(fmt.Sprintf("/bench.Service%d/*", i), "team", fmt.Sprintf("team%d", i), serviceRules)
		for j := range ownedMethods {
			state(fmt.Sprintf("/bench.Service%d/Method%d", i, j), "own", fmt.Sprintf("caller%d", j), methodRules)
		}
	}
	return strings.Replace(b.String(), "batch", changed, 1)
}

// manyMethods is an App that serves the methods and calls them, with a configuration file.
func manyMethods(b *testing.B) (app *framework.App, file string) {
	b.Helper()
	if err := describeMany(); err != nil {
		b.Fatal(err)
	}
	file = filepath.Join(b.TempDir(), "many.yaml")
	if err := os.WriteFile(file, []byte(manyPolicies("batch")), 0o600); err != nil {
		b.Fatal(err)
	}
	n := frameworktest.NewNetwork(b)
	app = n.App("many", framework.WithConfigFile(file))
	server := n.Server(app)
	for i := range manyServices {
		desc := &grpc.ServiceDesc{ServiceName: fmt.Sprintf("bench.Service%d", i), HandlerType: (*any)(nil)}
		for j := range methodsEach {
			desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: fmt.Sprintf("Method%d", j)})
		}
		server.RegisterService(desc, struct{}{})
	}
	app.Client("many")
	n.Run(app)
	return app, file
}

// BenchmarkReload is what a changed file costs an App, both looks together, on one core: that of 200 ms is the bar.
func BenchmarkReload(b *testing.B) {
	app, file := manyMethods(b)
	look := app.Looks()
	for name, content := range map[string]func(n int) string{
		"OneRule": func(n int) string { return manyPolicies([]string{"batch", "other"}[n%2]) },
		"EveryLine": func(n int) string {
			return strings.Repeat("# moves every line\n", n%2) + manyPolicies([]string{"batch", "other"}[n%2])
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			var used time.Duration
			for b.Loop() {
				b.StopTimer()
				n++
				if err := os.WriteFile(file, []byte(content(n)), 0o600); err != nil {
					b.Fatal(err)
				}
				before := app.Generation()
				began := processorTime(b)
				b.StartTimer()
				look()
				look()
				used += processorTime(b) - began
				if app.Generation() != before+1 {
					b.Fatal("the content is not in force")
				}
			}
			b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkLook is what a look costs while the file stays the same.
func BenchmarkLook(b *testing.B) {
	app, _ := manyMethods(b)
	look := app.Looks()
	b.ReportAllocs()
	for b.Loop() {
		look()
	}
}

// processorTime is what this process has used so far. Other processes do not count, as they do in the time that passes.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
