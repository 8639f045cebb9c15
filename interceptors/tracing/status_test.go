package tracing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestStatusOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want codes.Code
	}{
		{nil, codes.OK},
		{status.Error(codes.NotFound, ""), codes.NotFound},
		{fmt.Errorf("while asking: %w", status.Error(codes.NotFound, "")), codes.NotFound},
		{context.Canceled, codes.Canceled},
		{context.DeadlineExceeded, codes.DeadlineExceeded},
		{errors.New("oops"), codes.Unknown},
	} {
		if got := statusOf(test.err).Code(); got != test.want {
			t.Errorf("statusOf(%v) = %v, want %v", test.err, got, test.want)
		}
	}
}

// TestCodes names each code and says on which side it is an error.
func TestCodes(t *testing.T) {
	names := strings.Fields(`OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS
		PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE
		DATA_LOSS UNAUTHENTICATED`)
	if len(names) != numCodes {
		t.Fatalf("%d names for %d codes", len(names), numCodes)
	}
	failed := "UNKNOWN DEADLINE_EXCEEDED UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS"
	for i, name := range names {
		code := codes.Code(i)
		if codeName(code) != name {
			t.Errorf("codeName(%v) = %s, want %s", code, codeName(code), name)
		}
		if want := strings.Contains(" "+failed+" ", " "+name+" "); serverFailed(code) != want {
			t.Errorf("serverFailed(%v) = %v", code, !want)
		}
		if clientFailed(code) != (code != codes.OK) {
			t.Errorf("clientFailed(%v) = %v", code, clientFailed(code))
		}
	}
	if known(codes.Code(4711)) != codes.Unknown {
		t.Error("a made-up code would become a label")
	}
}

func TestDescribe(t *testing.T) {
	if got := describe("short"); got != "short" {
		t.Error(got)
	}
	long := describe(strings.Repeat("é", maxDescriptionBytes))
	if len(long) > maxDescriptionBytes || !utf8.ValidString(long) {
		t.Errorf("%d bytes, valid %v", len(long), utf8.ValidString(long))
	}
}

// TestCacheIsBounded says that what comes after the limit is not remembered.
func TestCacheIsBounded(t *testing.T) {
	var c cache[int, int]
	for i := range 10 {
		if got := c.add(i, 4, func() *int { return &i }); (got != nil) != (i < 4) {
			t.Errorf("entry %d: %v", i, got)
		}
	}
	if got := c.add(3, 4, func() *int { t.Error("made twice"); return nil }); got == nil || *got != 3 {
		t.Errorf("known entry: %v", got)
	}
	if c.get(4) != nil || c.get(0) == nil {
		t.Error("remembered the wrong ones")
	}
}
