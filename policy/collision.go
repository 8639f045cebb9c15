package policy

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// collision reports why what the .proto files state cannot be read: another option has the number of one of ours, or a
// copy of our schema took its place. What an author demands could be lost then, so no method may be used. The runtime
// of protobuf ends such a program when it starts; this is for one that it was told to let start
// (GOLANG_PROTOBUF_REGISTRATION_CONFLICT).
func collision(files *protoregistry.Files, types *protoregistry.Types) *Mistake {
	var found *Mistake
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		found = collisionIn(file)
		return found == nil
	})
	for _, own := range []protoreflect.ExtensionType{policyv1.E_Method, policyv1.E_Service} {
		ours := own.TypeDescriptor()
		linked, err := types.FindExtensionByNumber(ours.ContainingMessage().FullName(), ours.Number())
		if found == nil && (err != nil || linked != own) {
			found = &Mistake{
				Source: Source{Kind: KindProto, Place: ours.ParentFile().Path()}, Subject: string(ours.FullName()),
				Problem: "Go code of a copy of this .proto is linked, so that policies cannot be read; " +
					"generate none, its go_package leads to Parley's",
			}
		}
	}
	return found
}

// container is a file or a message, in which extensions can be declared.
type container interface {
	Extensions() protoreflect.ExtensionDescriptors
	Messages() protoreflect.MessageDescriptors
}

func collisionIn(c container) *Mistake {
	for i := range c.Extensions().Len() {
		other := c.Extensions().Get(i)
		for _, own := range []protoreflect.ExtensionType{policyv1.E_Method, policyv1.E_Service} {
			ours := own.TypeDescriptor()
			if other.Number() != ours.Number() || other.ContainingMessage().FullName() != ours.ContainingMessage().FullName() ||
				other.FullName() == ours.FullName() {
				continue
			}
			return &Mistake{
				Source: protoSource(other), Subject: string(other.FullName()),
				Problem: fmt.Sprintf("this option has the number of Parley's %s, %d, so that neither can be read; give it one of "+
					"the range for use within an organization, 50000 to 99999", ours.FullName(), ours.Number()),
			}
		}
	}
	for i := range c.Messages().Len() {
		if found := collisionIn(c.Messages().Get(i)); found != nil {
			return found
		}
	}
	return nil
}
