package rpcerr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/rpcerr"
)

func TestErrorShowsItsReasonAndHidesItsCause(t *testing.T) {
	cause := errors.New("kid 7f3a is revoked")
	err := rpcerr.New(rpcerr.CredentialsInvalid, "the credential is not good", cause)
	if want := "CREDENTIALS_INVALID: the credential is not good"; err.Error() != want {
		t.Errorf("the text is %q, want %q", err, want)
	}
	if !errors.Is(err, rpcerr.CredentialsInvalid) || errors.Is(err, rpcerr.CredentialsExpired) || !errors.Is(err, cause) {
		t.Error("the error does not match its reason and its cause, and nothing else")
	}
	if wrapped := status.Convert(fmt.Errorf("asking: %w", err)); strings.Contains(wrapped.Message(), "7f3a") {
		t.Errorf("the status of an error that wraps it shows the cause: %v", wrapped)
	}
	st := status.Convert(err)
	if st.Code() != codes.Unauthenticated || st.Message() != "the credential is not good" {
		t.Errorf("the status is %v", st)
	}
	if len(st.Details()) != 1 {
		t.Fatalf("the status has the details %v, want an ErrorInfo", st.Details())
	}
	info, ok := st.Details()[0].(*errdetails.ErrorInfo)
	if !ok || info.GetDomain() != "parley" || info.GetReason() != "CREDENTIALS_INVALID" || len(info.GetMetadata()) != 0 {
		t.Errorf("the detail is %v, want the reason alone", st.Details()[0])
	}
}

func TestErrorWithoutACause(t *testing.T) {
	err := rpcerr.New(rpcerr.PolicyDenied, "not allowed", nil)
	if want := "POLICY_DENIED: not allowed"; err.Error() != want {
		t.Errorf("the text is %q, want %q", err, want)
	}
	if errors.Unwrap(err) != nil {
		t.Error("there is a cause")
	}
}

func TestReasonOf(t *testing.T) {
	made := rpcerr.New(rpcerr.ConnectionExpired, "over", errors.New("private"))
	received := made.GRPCStatus().Err()
	foreign, err := status.New(codes.Unavailable,
		"x").WithDetails(&errdetails.ErrorInfo{Domain: "shop.example", Reason: "CONNECTION_EXPIRED"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		err  error
		want rpcerr.Reason
	}{
		{"nil", nil, ""},
		{"made here", made, rpcerr.ConnectionExpired},
		{"made here, wrapped", fmt.Errorf("calling: %w", made), rpcerr.ConnectionExpired},
		{"received", received, rpcerr.ConnectionExpired},
		{"received, wrapped", fmt.Errorf("calling: %w", received), rpcerr.ConnectionExpired},
		{"of another domain", foreign.Err(), ""},
		{"a status without details", status.Error(codes.Unavailable, "x"), ""},
		{"no status", errors.New("x"), ""},
	} {
		if got := rpcerr.ReasonOf(tt.err); got != tt.want {
			t.Errorf("%s: the reason is %q, want %q", tt.name, got, tt.want)
		}
	}
}

func ExampleReasonOf() {
	received := rpcerr.New(rpcerr.CredentialsExpired, "the credential has ended",
		nil).GRPCStatus().Err()
	fmt.Println(rpcerr.ReasonOf(received) == rpcerr.CredentialsExpired)
	// Output: true
}
