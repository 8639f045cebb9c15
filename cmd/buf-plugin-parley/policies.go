package main

import (
	"context"
	"errors"

	"buf.build/go/bufplugin/check"
	"buf.build/go/bufplugin/descriptor"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-rpc/parley/policy"
)

// policies are what the files of a request state, read once for all rules.
type policies struct {
	now, before *policy.Table // before is nil where there is nothing to compare with
}

type policiesKey struct{}

func readPolicies(ctx context.Context, request check.Request) (context.Context, check.Request, error) {
	now, err := tableOf(request.FileDescriptors())
	if err != nil {
		return nil, nil, err
	}
	read := policies{now: now}
	if against := request.AgainstFileDescriptors(); len(against) > 0 {
		if read.before, err = tableOf(against); err != nil {
			return nil, nil, err
		}
	}
	return context.WithValue(ctx, policiesKey{}, read), request, nil
}

func policiesFrom(ctx context.Context) (policies, error) {
	read, ok := ctx.Value(policiesKey{}).(policies)
	if !ok {
		return policies{}, errors.New("the policies were not read")
	}
	return read, nil
}

func tableOf(files []descriptor.FileDescriptor) (*policy.Table, error) {
	set := new(descriptorpb.FileDescriptorSet)
	for _, file := range files {
		set.File = append(set.File, file.FileDescriptorProto())
	}
	return policy.FromDescriptors(set)
}

// nameOf is the name of a method as gRPC writes it.
func nameOf(m protoreflect.MethodDescriptor) string {
	return "/" + string(m.Parent().FullName()) + "/" + string(m.Name())
}
