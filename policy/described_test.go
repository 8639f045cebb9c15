package policy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

// tableOf describes one service "lib.v1.Books" with a unary method Get.
func tableOf(t *testing.T, service, method *policyv1.Policy, info *descriptorpb.SourceCodeInfo) *policy.Table {
	t.Helper()
	serviceOptions, methodOptions := &descriptorpb.ServiceOptions{}, &descriptorpb.MethodOptions{}
	if service != nil {
		proto.SetExtension(serviceOptions, policyv1.E_Service, service)
	}
	if method != nil {
		proto.SetExtension(methodOptions, policyv1.E_Method, method)
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("lib/v1/books.proto"), Package: new("lib.v1"), Syntax: new("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: new("Book")}},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: new("Books"), Options: serviceOptions,
			Method: []*descriptorpb.MethodDescriptorProto{{
				Name: new("Get"), InputType: new(".lib.v1.Book"), OutputType: new(".lib.v1.Book"), Options: methodOptions,
			}},
		}},
		SourceCodeInfo: info,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	files := new(protoregistry.Files)
	if err := files.RegisterFile(file); err != nil {
		t.Fatal(err)
	}
	return policy.FromFiles(files)
}

func TestPlaceInTheProto(t *testing.T) {
	lines := &descriptorpb.SourceCodeInfo{Location: []*descriptorpb.SourceCodeInfo_Location{
		{Path: []int32{6, 0}, Span: []int32{9, 0, 20, 1}},
		{Path: []int32{6, 0, 2, 0}, Span: []int32{14, 2, 16, 3}},
	}}
	whole, own := auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_AUTHENTICATED.Enum()}), deadline(time.Second)
	for _, test := range []struct {
		name             string
		info             *descriptorpb.SourceCodeInfo
		access, deadline string
	}{
		{"with line numbers", lines, "proto lib/v1/books.proto:10", "proto lib/v1/books.proto:15"},
		{"without, as in generated Go code", nil, "proto lib/v1/books.proto: Books", "proto lib/v1/books.proto: Books/Get"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := method(t, tableOf(t, whole, own, test.info), "/lib.v1.Books/Get")
			if got := m.Auth.Access.Source.String(); got != test.access {
				t.Errorf("access: got %q, want %q", got, test.access)
			}
			if got := m.Deadline.Source.String(); got != test.deadline {
				t.Errorf("deadline: got %q, want %q", got, test.deadline)
			}
		})
	}
}

func TestMistakeInTheProtoRefusesItsMethods(t *testing.T) {
	table := tableOf(t, deadline(-1), retry(&policyv1.Retry{MaxAttempts: new(uint32(0))}), nil)
	want := "lib/v1/books.proto: Books: /lib.v1.Books/*: deadline.max: -1ns is negative; write a time like 250ms, or leave it out\n" +
		"lib/v1/books.proto: Books/Get: /lib.v1.Books/Get: retry.max_attempts: 0 is out of range; it must be 1 to 10 (1 switches retries off)"
	if _, err := table.Method("/lib.v1.Books/Get"); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%v", err, want)
	}
	var mistake *policy.Mistake
	if _, err := deadlines(table).Get("/lib.v1.Books/Get"); !errors.As(err, &mistake) {
		t.Errorf("got %v, want a Mistake", err)
	}
}

// The standard option idempotency_level is what other tools read, too; a .proto does not say it in a second way.
func TestIdempotencyStandsOnlyInTheStandardOption(t *testing.T) {
	_, err := tableOf(t, nil, repeatable(policyv1.Idempotency_IDEMPOTENCY_IDEMPOTENT), nil).Method("/lib.v1.Books/Get")
	want := "lib/v1/books.proto: Books/Get: /lib.v1.Books/Get: idempotency: a .proto states it with the standard option idempotency_level; state that, and take this out"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// An option of a company with the number of ours: which of the two a .proto means cannot be told, so no call is made.
func TestOptionWithTheSameNumber(t *testing.T) {
	for name, extend := range map[string]func(*descriptorpb.FileDescriptorProto, *descriptorpb.FieldDescriptorProto){
		"of a file": func(f *descriptorpb.FileDescriptorProto, e *descriptorpb.FieldDescriptorProto) {
			f.Extension = append(f.Extension, e)
		},
		"of a message": func(f *descriptorpb.FileDescriptorProto, e *descriptorpb.FieldDescriptorProto) {
			f.MessageType[0].Extension = append(f.MessageType[0].Extension, e)
		},
	} {
		company := &descriptorpb.FileDescriptorProto{
			Name: new("acme/options.proto"), Package: new("acme"), Syntax: new("proto3"), Dependency: []string{"google/protobuf/descriptor.proto"},
			MessageType: []*descriptorpb.DescriptorProto{{Name: new("Nothing")}},
			Service: []*descriptorpb.ServiceDescriptorProto{{Name: new("Books"), Method: []*descriptorpb.MethodDescriptorProto{{
				Name: new("Get"), InputType: new(".acme.Nothing"), OutputType: new(".acme.Nothing"),
			}}}},
		}
		extend(company, &descriptorpb.FieldDescriptorProto{
			Name: new("team"), Number: new(int32(policyv1.E_Method.TypeDescriptor().Number())), Extendee: new(".google.protobuf.MethodOptions"),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
		})
		file, err := protodesc.NewFile(company, protoregistry.GlobalFiles)
		if err != nil {
			t.Fatal(err)
		}
		files := new(protoregistry.Files)
		if err := files.RegisterFile(file); err != nil {
			t.Fatal(err)
		}
		_, err = policy.FromFiles(files).Method("/acme.Books/Get")
		const want = "this option has the number of Parley's parley.policy.v1.method, 1374, so that neither can be read; give it one of the range for use within an organization, 50000 to 99999"
		var mistake *policy.Mistake
		if !errors.As(err, &mistake) || mistake.Problem != want || !strings.HasPrefix(mistake.Source.Place, "acme/options.proto: ") {
			t.Errorf("%s: got  %v\nwant %s", name, err, want)
		}
	}
}

// Where a copy of the schema took the place of ours, what authors state would be read as nothing.
func TestCopyOfTheSchema(t *testing.T) {
	if got := policy.Collision(new(protoregistry.Files), protoregistry.GlobalTypes); got != nil {
		t.Errorf("got %v without a copy", got)
	}
	types := new(protoregistry.Types)
	for _, own := range []protoreflect.ExtensionType{policyv1.E_Method, policyv1.E_Service} {
		if err := types.RegisterExtension(dynamicpb.NewExtensionType(own.TypeDescriptor().Descriptor())); err != nil {
			t.Fatal(err)
		}
	}
	got := policy.Collision(new(protoregistry.Files), types)
	if got == nil || !strings.Contains(got.Problem, "a copy of this .proto is linked") {
		t.Errorf("got %v, want that a copy is linked", got)
	}
}

func TestServiceAndMethodOfOneProtoContradict(t *testing.T) {
	table := tableOf(t, deadline(time.Second), retry(&policyv1.Retry{PerAttemptTimeout: durationpb.New(2 * time.Second)}), nil)
	if _, err := table.Method("/lib.v1.Books/Get"); err == nil || !strings.Contains(err.Error(), "longer than the deadline, 1s (proto lib/v1/books.proto: Books)") {
		t.Errorf("got %v, want both places of the contradiction", err)
	}
}

func TestMethodsListsWhatAnythingIsStatedAbout(t *testing.T) {
	if got := tableOf(t, nil, nil, nil).Methods(); len(got) != 0 {
		t.Errorf("got %v, want none", got)
	}
	if got := tableOf(t, nil, deadline(time.Second), nil).Methods(); len(got) != 1 || got[0] != "/lib.v1.Books/Get" {
		t.Errorf("got %v, want the one method", got)
	}
	const health = "/grpc.health.v1.Health/Watch"
	bare, narrowed := strings.Join(policy.FromProto().Methods(), " "), newTable(t, code(policies{"/grpc.health.v1.Health/*": auth(&policyv1.Auth{})}))
	if strings.Contains(bare, health) {
		t.Errorf("%s is listed, although nothing is stated about it", health)
	}
	if got := strings.Join(narrowed.Methods(), " "); !strings.Contains(got, health) {
		t.Errorf("got %s, want %s among them", got, health)
	}
}

// Only the exact name that gRPC uses finds a method; nothing that merely spells the same descriptor.
func TestOddNamesAreUndescribed(t *testing.T) {
	for _, name := range []string{
		"", "/", "//", "shop.payments.v1.PaymentsService/Charge", charge + "/", "/" + charge, "//Charge",
		"/shop.payments.v1/PaymentsService.Charge", "/shop.payments.v1.PaymentsService.Charge", "/shop.payments.v1.PaymentsService/*",
		"/shop.payments.v1.PaymentsService/charge", "/shop.payments.v1.Money/currency", "/.shop.payments.v1.PaymentsService/Charge",
	} {
		m, err := policy.FromProto().Method(name)
		if err != nil || m.Described || m.Name != name || m.Auth.Access.Stated() {
			t.Errorf("Method(%q) = %v, %v; want the zero policy", name, m, err)
		}
	}
}

func FuzzSplitName(f *testing.F) {
	for _, seed := range []string{charge, allPayments, "", "/", "//", "/a/", "/a/b/c", "a/b", "/a.b/c.d", "/\x00/\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		service, method, ok := policy.SplitName(name)
		if ok != (strings.Count(name, "/") == 2 && strings.HasPrefix(name, "/") && service != "" && method != "") {
			t.Errorf("SplitName(%q) = %q, %q, %v", name, service, method, ok)
		}
		if ok && "/"+service+"/"+method != name {
			t.Errorf("SplitName(%q) = %q, %q", name, service, method)
		}
		if m, err := policy.FromProto().Method(name); err != nil || m.Described && !ok {
			t.Errorf("Method(%q) = %v, %v", name, m, err)
		}
	})
}
