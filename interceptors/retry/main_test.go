package retry_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "google.golang.org/protobuf/types/known/wrapperspb"
)

func TestMain(m *testing.M) {
	if err := registerLab(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// The methods of the service that these tests call. Its .proto states how far each may be repeated and nothing else, so
// that a test states the rest.
const (
	readMethod  = "/lab.v1.Lab/Read"  // no side effects
	writeMethod = "/lab.v1.Lab/Write" // idempotent
	actMethod   = "/lab.v1.Lab/Act"   // nothing is said
	watchMethod = "/lab.v1.Lab/Watch" // no side effects, streams from the server

	uploadMethod = "/lab.v1.Lab/Upload" // idempotent, streams from the client
	chatMethod   = "/lab.v1.Lab/Chat"   // idempotent, streams both ways
	talkMethod   = "/lab.v1.Lab/Talk"   // nothing is said, streams both ways
)

func registerLab() error {
	method := func(name string, level descriptorpb.MethodOptions_IdempotencyLevel, client, server bool) *descriptorpb.MethodDescriptorProto {
		const message = ".google.protobuf.StringValue"
		return &descriptorpb.MethodDescriptorProto{
			Name: new(name), InputType: new(message), OutputType: new(message),
			ClientStreaming: new(client), ServerStreaming: new(server), Options: &descriptorpb.MethodOptions{IdempotencyLevel: level.Enum()},
		}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("lab/v1/lab.proto"), Package: new("lab.v1"), Syntax: new("proto3"),
		Dependency: []string{"google/protobuf/wrappers.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: new("Lab"),
			Method: []*descriptorpb.MethodDescriptorProto{
				method("Read", descriptorpb.MethodOptions_NO_SIDE_EFFECTS, false, false),
				method("Write", descriptorpb.MethodOptions_IDEMPOTENT, false, false),
				method("Act", descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN, false, false),
				method("Watch", descriptorpb.MethodOptions_NO_SIDE_EFFECTS, false, true),
				method("Upload", descriptorpb.MethodOptions_IDEMPOTENT, true, false),
				method("Chat", descriptorpb.MethodOptions_IDEMPOTENT, true, true),
				method("Talk", descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN, true, true),
			},
		}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		return err
	}
	return protoregistry.GlobalFiles.RegisterFile(file)
}
