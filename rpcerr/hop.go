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

// Facts about one hop travel only in its trailers.
const (
	// PushbackKey holds how many milliseconds the client must wait before it tries again; a negative number means never.
	// It is the key of gRFC A6.
	PushbackKey = "grpc-retry-pushback-ms"
	// UnprocessedKey says, with the value "1", that the handler never ran.
	UnprocessedKey = "parley-unprocessed"
)

// Pushback is a server's word on when a call may be tried again. The zero value is silence.
type Pushback struct {
	// Said reports whether the server said anything.
	Said bool
	// Stop says that the call must not be tried again. A pushback that cannot be read also means stop (gRFC A6).
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

// Unprocessed reports whether the trailer of one attempt says that the handler never ran.
func Unprocessed(trailer metadata.MD) bool {
	values := trailer[UnprocessedKey]
	return len(values) == 1 && values[0] == "1"
}

// SetPushback makes the server's answer to the RPC of ctx carry a pushback: try again after wait, rounded up to a
// millisecond, or never when wait is negative. Ctx must be that of a handler or a server interceptor.
func SetPushback(ctx context.Context, wait time.Duration) error {
	ms := int64(-1)
	if wait >= 0 {
		ms = int64((wait + time.Millisecond - 1) / time.Millisecond)
	}
	return grpc.SetTrailer(ctx, metadata.Pairs(PushbackKey, strconv.FormatInt(ms, 10)))
}

// SetUnprocessed makes the server's answer to the RPC of ctx say that the handler never ran. Only code that runs
// instead of the handler may call it.
func SetUnprocessed(ctx context.Context) error {
	return grpc.SetTrailer(ctx, metadata.Pairs(UnprocessedKey, "1"))
}

// called is implemented by errors that came out of a client call of this process.
type called interface{ FromCall() bool }

// FromCall reports whether err came out of a client call of this process. Such an error says so by a method
// FromCall() bool.
func FromCall(err error) bool {
	var c called
	return errors.As(err, &c) && c.FromCall()
}

// StripHop returns the error that a handler may answer with: Parley's ErrorInfo is removed, and RetryInfo too where the
// error came out of a client call. What a hop below said about itself can then never be read as this server's word. It
// returns err itself when there is nothing to remove, and nil for nil.
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
