package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-rpc/parley/internal/protoyaml/nearest"
)

// readContract reads a descriptor set.
func readContract(path string) (*descriptorpb.FileDescriptorSet, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("the contract: %w; make it with \"buf build -o %s\", or with "+
			"\"protoc --include_imports --descriptor_set_out\"", err, path)
	}
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(data, set); err != nil {
		return nil, fmt.Errorf("the contract %s is no descriptor set: %w; make it with \"buf build -o\"", path, err)
	}
	return set, nil
}

// link makes the files of a contract known to this process, as if they were linked, which is where a service finds the
// policies of its methods.
func link(set *descriptorpb.FileDescriptorSet) error {
	files, err := protodesc.FileOptions{AllowUnresolvable: true}.NewFiles(set)
	if err != nil {
		return fmt.Errorf("the contract: %w", err)
	}
	var errs []error
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if _, err := protoregistry.GlobalFiles.FindFileByPath(file.Path()); err != nil {
			errs = append(errs, protoregistry.GlobalFiles.RegisterFile(file))
		}
		return true
	})
	return errors.Join(errs...)
}

// methodsOf are the full names of all methods of a contract, as gRPC writes them.
func methodsOf(set *descriptorpb.FileDescriptorSet) []string {
	var names []string
	for _, file := range set.GetFile() {
		for _, service := range file.GetService() {
			for _, method := range service.GetMethod() {
				name := "/" + service.GetName() + "/" + method.GetName()
				if file.GetPackage() != "" {
					name = "/" + file.GetPackage() + "." + name[1:]
				}
				names = append(names, name)
			}
		}
	}
	return names
}

// serviceOf is the service of a method.
func serviceOf(method string) string {
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	return service
}

// findMethod finds the method that the user means: its full name, or as much of its end as names one method alone.
func findMethod(set *descriptorpb.FileDescriptorSet, wanted string) (string, error) {
	known := methodsOf(set)
	full := "/" + strings.TrimPrefix(wanted, "/")
	var found []string
	for _, name := range known {
		if name == full {
			return name, nil
		}
		if strings.HasSuffix(name, full) || strings.HasSuffix(name, "."+full[1:]) {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		problem := "the contract has no method " + wanted
		if near := nearest.Of(full, known); near != "" {
			problem += "; did you mean " + near[1:] + "?"
		}
		return "", errors.New(problem)
	default:
		return "", fmt.Errorf("%s could be %s; write the full name", wanted, strings.Join(found, " or "))
	}
}
