package rpcerr_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/parley-rpc/parley/rpcerr"
)

func TestPushbackOf(t *testing.T) {
	const longest = math.MaxInt64 / int64(time.Millisecond)
	silence, stop := rpcerr.Pushback{}, rpcerr.Pushback{Said: true, Stop: true}
	wait := func(d time.Duration) rpcerr.Pushback { return rpcerr.Pushback{Said: true, Wait: d} }
	for _, tt := range []struct {
		name   string
		values []string
		want   rpcerr.Pushback
	}{
		{"nothing", nil, silence},
		{"an empty list", []string{}, silence},
		{"a number", []string{"250"}, wait(250 * time.Millisecond)},
		{"zero", []string{"0"}, wait(0)},
		{"negative", []string{"-1"}, stop},
		{"very negative", []string{"-9223372036854775808"}, stop},
		{"a word", []string{"abc"}, stop},
		{"nothing in it", []string{""}, stop},
		{"a space before it", []string{" 250"}, stop},
		{"a fraction", []string{"1.5"}, stop},
		{"hexadecimal", []string{"0x10"}, stop},
		{"said twice", []string{"250", "250"}, stop},
		{"the longest wait", []string{strconv.FormatInt(longest, 10)}, wait(time.Duration(longest) * time.Millisecond)},
		{"longer than a time.Duration", []string{strconv.FormatInt(longest+1, 10)}, stop},
		{"longer than 64 bits", []string{"9223372036854775808"}, stop},
	} {
		if got := rpcerr.PushbackOf(metadata.MD{rpcerr.PushbackKey: tt.values}); got != tt.want {
			t.Errorf("%s (%q): %+v, want %+v", tt.name, tt.values, got, tt.want)
		}
	}
	if got := rpcerr.PushbackOf(nil); got != silence {
		t.Errorf("no trailer: %+v, want silence", got)
	}
}

func FuzzPushbackOf(f *testing.F) {
	for _, seed := range []string{
		"0", "250", "-1", "+5", "", "abc", "1e3", "9223372036854775807", "9223372036855",
		"\x00", " 7",
	} {
		f.Add(seed, false)
	}
	f.Add("250", true)
	f.Fuzz(func(t *testing.T, value string, twice bool) {
		values := []string{value}
		if twice {
			values = append(values, value)
		}
		got := rpcerr.PushbackOf(metadata.MD{rpcerr.PushbackKey: values})
		switch {
		case !got.Said:
			t.Fatalf("%q is taken for silence", values)
		case got.Wait < 0, got.Stop && got.Wait != 0:
			t.Fatalf("%q means %+v", values, got)
		case got.Stop:
			return
		case twice:
			t.Fatalf("%q, said twice, means %+v, want stop", value, got)
		}
		ms, err := strconv.ParseUint(strings.TrimLeft(value, "+-"), 10, 64)
		if err != nil || time.Duration(ms)*time.Millisecond != got.Wait {
			t.Fatalf("%q means %+v", value, got)
		}
	})
}

func TestUnprocessed(t *testing.T) {
	for _, tt := range []struct {
		values []string
		want   bool
	}{
		{nil, false},
		{[]string{"1"}, true},
		{[]string{"0"}, false},
		{[]string{"true"}, false},
		{[]string{""}, false},
		{[]string{"1", "1"}, false},
	} {
		if got := rpcerr.Unprocessed(metadata.MD{rpcerr.UnprocessedKey: tt.values}); got != tt.want {
			t.Errorf("Unprocessed(%q) = %v, want %v", tt.values, got, tt.want)
		}
	}
}

// trailers is the transport of one RPC, of which only the trailer counts.
type trailers struct {
	grpc.ServerTransportStream
	md metadata.MD
}

func (s *trailers) SetTrailer(md metadata.MD) error {
	s.md = metadata.Join(s.md, md)
	return nil
}

func TestSetHopFacts(t *testing.T) {
	for _, tt := range []struct {
		wait time.Duration
		want rpcerr.Pushback
	}{
		{250 * time.Millisecond, rpcerr.Pushback{Said: true, Wait: 250 * time.Millisecond}},
		{time.Microsecond, rpcerr.Pushback{Said: true, Wait: time.Millisecond}},
		{0, rpcerr.Pushback{Said: true}},
		{-time.Hour, rpcerr.Pushback{Said: true, Stop: true}},
	} {
		var sent trailers
		ctx := grpc.NewContextWithServerTransportStream(t.Context(), &sent)
		if err := errors.Join(rpcerr.SetPushback(ctx, tt.wait), rpcerr.SetUnprocessed(ctx)); err != nil {
			t.Fatal(err)
		}
		if got := rpcerr.PushbackOf(sent.md); got != tt.want {
			t.Errorf("a pushback of %v arrives as %+v, want %+v", tt.wait, got, tt.want)
		}
		if !rpcerr.Unprocessed(sent.md) {
			t.Errorf("the trailer %v does not say unprocessed", sent.md)
		}
	}
	if err := errors.Join(rpcerr.SetPushback(t.Context(), 0), rpcerr.SetUnprocessed(t.Context())); err == nil {
		t.Error("outside of an RPC there was no error")
	}
}

// called is an error that came out of a client call, as package retry makes them.
type called struct{ error }

func (called) FromCall() bool  { return true }
func (c called) Unwrap() error { return c.error }

func TestFromCall(t *testing.T) {
	plain := status.Error(codes.Unavailable, "down")
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{plain, false},
		{called{plain}, true},
		{fmt.Errorf("placing the order: %w", called{plain}), true},
		{errors.Join(plain, called{plain}), true},
	} {
		if got := rpcerr.FromCall(tt.err); got != tt.want {
			t.Errorf("FromCall(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}

func with(t *testing.T, code codes.Code, details ...protoadapt.MessageV1) error {
	t.Helper()
	st, err := status.New(code, "scripted").WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return st.Err()
}

func TestStripHop(t *testing.T) {
	reason := &errdetails.ErrorInfo{Domain: rpcerr.Domain, Reason: "CONNECTION_EXPIRED"}
	foreign := &errdetails.ErrorInfo{Domain: "shop.example", Reason: "OUT_OF_STOCK"}
	info := &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}
	request := &errdetails.BadRequest{}
	for _, tt := range []struct {
		name string
		err  error
		want []string // the details that are left
	}{
		{"the handler's own RetryInfo", with(t, codes.Unavailable, info), []string{"RetryInfo"}},
		{"the handler's own ErrorInfo", with(t, codes.NotFound, foreign, request), []string{"ErrorInfo", "BadRequest"}},
		{"RetryInfo of a call", called{with(t, codes.Unavailable, info)}, nil},
		{
			"RetryInfo and others of a call",
			called{with(t, codes.Unavailable, foreign, info, request)},
			[]string{"ErrorInfo", "BadRequest"},
		},
		{"a wrapped error of a call", fmt.Errorf("charging: %w", called{with(t, codes.Unavailable, info)}), nil},
		{"Parley's reason", with(t, codes.Unavailable, reason), nil},
		{
			"Parley's reason shows that RetryInfo came out of a call", with(t, codes.Unavailable, info, reason, foreign),
			[]string{"ErrorInfo"},
		},
		{
			"a refusal that was made in this process",
			rpcerr.New(rpcerr.ConnectionExpired, "the connection has expired", nil), nil,
		},
		{"a call without details", called{status.Error(codes.Unavailable, "down")}, nil},
		{"no status", errors.New("something"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := rpcerr.StripHop(tt.err)
			before, after := status.Convert(tt.err), status.Convert(got)
			if after.Code() != before.Code() || after.Message() != before.Message() {
				t.Errorf("the status changed from %v to %v", before, after)
			}
			if names := detailNames(after); strings.Join(names, " ") != strings.Join(tt.want, " ") {
				t.Errorf("the details %q are left, want %q", names, tt.want)
			}
			if len(after.Details()) == len(before.Details()) &&
				got != tt.err { //nolint:errorlint // identity is what is promised
				t.Errorf("nothing was removed, but the error is another one: %v", got)
			}
			if rpcerr.ReasonOf(got) != "" && len(before.Details()) > 0 {
				t.Errorf("the reason %s would go on", rpcerr.ReasonOf(got))
			}
		})
	}
	if got := rpcerr.StripHop(nil); got != nil {
		t.Errorf("StripHop(nil) = %v", got)
	}
	if err := context.Canceled; !errors.Is(rpcerr.StripHop(err), err) {
		t.Error("the error of a context is not returned as it is")
	}
}

func detailNames(st *status.Status) []string {
	var names []string
	for _, d := range st.Proto().GetDetails() {
		names = append(names, string(d.MessageName().Name()))
	}
	return names
}
