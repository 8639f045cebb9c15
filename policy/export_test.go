package policy

import "google.golang.org/protobuf/reflect/protoregistry"

// FromFiles is FromProto for descriptors that are not linked.
func FromFiles(files *protoregistry.Files) *Table { return newTable(files, nil) }

// What the external tests look at.
const (
	MaxUndescribedMethods = maxUndescribedMethods
	MaxUndescribedName    = maxUndescribedName
)

// SplitName is splitName.
func SplitName(name string) (service, method string, ok bool) { return splitName(name) }
