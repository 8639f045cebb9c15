package istio_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/policy/istio"
	"github.com/parley-rpc/parley/principal"
)

// A workload of 1,000 methods, and a folder with 1,000 policies of 5 rules each.
const (
	meshServices = 20
	methodsEach  = 50
	meshPolicies = 1000
	rulesEach    = 5
)

func meshFile(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("policy-%d.yaml", i)) }

// meshPolicy is policy i. Each is about one service: one rule about all of its methods, one about a method of that name
// in all services, and the others about one method each.
func meshPolicy(i int, team string) string {
	action := "ALLOW"
	if i%4 == 0 {
		action = "DENY"
	}
	text := fmt.Sprintf("apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"+
		"metadata:\n  name: p%d\n  namespace: shop\nspec:\n  action: %s\n  rules:\n", i, action)
	for j := range rulesEach {
		path := fmt.Sprintf("/mesh.Service%d/Method%d", i%meshServices, (i/meshServices+j)%methodsEach)
		switch j {
		case 0:
			path = fmt.Sprintf("/mesh.Service%d/*", i%meshServices)
		case 1:
			path = fmt.Sprintf("*/Method%d", i/meshServices%methodsEach)
		}
		text += fmt.Sprintf("  - from:\n    - source:\n        principals: [cluster.local/ns/%s-%d/sa/caller-%d]\n"+
			"    - source:\n        namespaces: [batch-%d]\n"+
			"    to:\n    - operation:\n        paths: [%q]\n", team, i, j, i, path)
	}
	return text
}

// mesh is the folder, and the Table of a program that serves and calls the methods.
type mesh struct {
	b       *testing.B
	dir     string
	files   *istio.Files
	content []byte
	table   *policy.Table
	methods []string
	retrier *retry.Retrier
}

func newMesh(b *testing.B) *mesh {
	b.Helper()
	m := &mesh{b: b, dir: b.TempDir()}
	for i := range meshPolicies {
		m.write(i, "team")
	}
	m.files = istio.Dir(m.dir, orders())
	m.start()
	b.Cleanup(func() { _ = m.retrier.Close() })
	return m
}

func (m *mesh) must(err error) {
	m.b.Helper()
	if err != nil {
		m.b.Fatal(err)
	}
}

func (m *mesh) write(i int, team string) {
	m.b.Helper()
	m.must(os.WriteFile(meshFile(m.dir, i), []byte(meshPolicy(i, team)), 0o600))
}

// start does what a program does that starts with the folder.
func (m *mesh) start() {
	m.b.Helper()
	file := &descriptorpb.FileDescriptorProto{Name: new("mesh.proto"), Package: new("mesh")}
	file.MessageType = []*descriptorpb.DescriptorProto{{Name: new("Empty")}}
	m.methods = nil
	for i := range meshServices {
		service := &descriptorpb.ServiceDescriptorProto{Name: new(fmt.Sprintf("Service%d", i))}
		for j := range methodsEach {
			name := fmt.Sprintf("Method%d", j)
			m.methods = append(m.methods, "/mesh."+service.GetName()+"/"+name)
			service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
				Name: &name, InputType: new(".mesh.Empty"), OutputType: new(".mesh.Empty"),
			})
		}
		file.Service = append(file.Service, service)
	}
	var err error
	m.content, err = m.files.Read()
	m.must(err)
	layers, _, err := m.files.Parse(m.content)
	m.must(err)
	m.table, err = policy.FromDescriptors(
		&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{file}}, layers...)
	m.must(err)
	domain := meshDomain(m.b)
	server := &decide.Server{Domain: domain, Accepts: func(d principal.TrustDomain) bool { return d == domain }}
	view := policy.NewView(m.table, func(p policy.Method) (*decide.Policy, error) { return decide.Compile(p, server) })
	m.must(view.Resolve(m.methods...))
	if m.retrier != nil {
		_ = m.retrier.Close()
	}
	m.retrier = retry.New(retry.WithPolicy(m.table))
	for _, method := range m.methods {
		_, err := m.table.Method(method)
		m.must(err)
	}
	m.must(m.retrier.Check())
}

// reload does what a program does that has seen another content, at both of its looks.
func (m *mesh) reload() {
	m.b.Helper()
	content, err := m.files.Read()
	m.must(err)
	m.must(m.files.Lost(m.content, content))
	layers, _, err := m.files.Parse(content)
	m.must(err)
	m.must(m.table.Narrow(layers...))
	again, err := m.files.Read()
	m.must(err)
	if string(again) != string(content) {
		m.b.Fatal("another content")
	}
	m.must(m.table.Replace(layers...))
	m.content = content
}

// BenchmarkReload is what changed files cost, both looks together. The bar is 200 ms of one core.
func BenchmarkReload(b *testing.B) {
	m := newMesh(b)
	for _, test := range []struct {
		name    string
		changed int
	}{{"OnePolicy", 1}, {"EveryPolicy", meshPolicies}} {
		b.Run(test.name, func(b *testing.B) {
			m.b = b
			b.ReportAllocs()
			var used time.Duration
			n := 0
			for b.Loop() {
				b.StopTimer()
				n++
				for i := range test.changed {
					m.write(i, []string{"team", "crew"}[n%2])
				}
				began := processorTime(b)
				b.StartTimer()
				m.reload()
				used += processorTime(b) - began
			}
			b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkStart is what the same folder costs a program that starts.
func BenchmarkStart(b *testing.B) {
	m := newMesh(b)
	b.ReportAllocs()
	began := processorTime(b)
	for b.Loop() {
		m.files = istio.Dir(m.dir, orders())
		m.start()
	}
	b.ReportMetric(float64((processorTime(b)-began).Milliseconds())/float64(b.N), "cpu-ms/op")
}

// BenchmarkLook is what a look at a folder of 1,000 files costs while nothing changes.
func BenchmarkLook(b *testing.B) {
	m := newMesh(b)
	time.Sleep(4 * time.Second) // until the files are settled
	b.ReportAllocs()
	began := processorTime(b)
	for b.Loop() {
		content, err := m.files.Read()
		if err != nil || string(content) != string(m.content) {
			b.Fatal("another content", err)
		}
	}
	each := (processorTime(b) - began) / time.Duration(b.N)
	b.ReportMetric(100*each.Seconds(), "%core") // a look each second
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
