package rpcerr

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// Facts about one hop are sent only in its trailers.
const (
	// PushbackKey is the metadata key with the number of milliseconds that the client must wait before it retries (gRFC
	// A6). A negative number means never.
	PushbackKey = "grpc-retry-pushback-ms"
	// UnprocessedKey is the metadata key that states, with the value "1", that the handler did not run.
	UnprocessedKey = "parley-unprocessed"
)

// Pushback is a server's statement of when a call may be retried. The zero value means that the server did not send
// one.
type Pushback struct {
	// Said reports whether the server sent a pushback.
	Said bool
	// Stop reports whether the call must not be retried. An invalid pushback also means stop (gRFC A6).
	Stop bool
	// Wait is how long to wait before the next attempt.
	Wait time.Duration
}

// PushbackOf reads the pushback from the trailer of one attempt.
func PushbackOf(trailer metadata.MD) Pushback {
	values := trailer[PushbackKey]
	if len(values) == 0 {
		return Pushback{}
	}
	if len(values) > 1 {
		return Pushback{Said: true, Stop: true}
	}
	ms, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || ms < 0 || ms > math.MaxInt64/int64(time.Millisecond) {
		return Pushback{Said: true, Stop: true}
	}
	return Pushback{Said: true, Wait: time.Duration(ms) * time.Millisecond}
}

// Unprocessed reports whether the trailer of one attempt states that the handler did not run.
func Unprocessed(trailer metadata.MD) bool {
	values := trailer[UnprocessedKey]
	return len(values) == 1 && values[0] == "1"
}

// SetPushback adds a pushback to the server's answer to the RPC of ctx: retry after wait, rounded up to a millisecond,
// or never if wait is negative. Ctx must be the context of a handler or a server interceptor.
func SetPushback(ctx context.Context, wait time.Duration) error {
	ms := int64(-1)
	if wait >= 0 {
		ms = int64((wait + time.Millisecond - 1) / time.Millisecond)
	}
	return grpc.SetTrailer(ctx, metadata.Pairs(PushbackKey, strconv.FormatInt(ms, 10)))
}

// SetUnprocessed states in the server's answer to the RPC of ctx that the handler did not run. Only code that runs
// instead of the handler may call it.
func SetUnprocessed(ctx context.Context) error {
	return grpc.SetTrailer(ctx, metadata.Pairs(UnprocessedKey, "1"))
}

// called is the interface of errors of a client call of this process.
type called interface{ FromCall() bool }

// FromCall reports whether err is an error of a client call of this process. Such an error has a method FromCall()
// bool.
func FromCall(err error) bool {
	var c called
	return errors.As(err, &c) && c.FromCall()
}

// StripHop returns the error with which a handler may answer. It removes Parley's ErrorInfo, and RetryInfo if the error
// comes from a client call, so that a statement of another service about itself is not taken for a statement of this
// server. It returns err itself if there is nothing to remove, and nil for nil.
func StripHop(err error) error {
	if err == nil {
		return nil
	}
	st, ok := status.FromError(err)
	if !ok || st.Code() == codes.OK {
		return err
	}
	details := st.Proto().GetDetails()
	fromCall := FromCall(err) || carriesReason(details)
	kept := make([]*anypb.Any, 0, len(details))
	for _, detail := range details {
		if isReason(detail) || fromCall && detail.MessageIs((*errdetails.RetryInfo)(nil)) {
			continue
		}
		kept = append(kept, detail)
	}
	if len(kept) == len(details) {
		return err
	}
	public := st.Proto()
	public.Details = kept
	return status.FromProto(public).Err()
}

func carriesReason(details []*anypb.Any) bool {
	return slices.ContainsFunc(details, isReason)
}

func isReason(detail *anypb.Any) bool {
	var info errdetails.ErrorInfo
	return detail.MessageIs(&info) && detail.UnmarshalTo(&info) == nil && info.GetDomain() == Domain
}
