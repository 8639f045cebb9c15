package dedupe

import (
	"context"
	"crypto/sha256"
	"errors"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/parley-rpc/parley/rpcerr"
)

// valid is what a key looks like.
func valid(key string) bool {
	if key == "" || len(key) > maxKeyLength {
		return false
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}

// fingerprintOf hashes a request. Two programs of different age may disagree on one, and then refuse rather than
// repeat.
func fingerprintOf(req any) (Fingerprint, bool) {
	m, ok := req.(proto.Message)
	if !ok {
		return Fingerprint{}, false
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return sha256.Sum256(b), err == nil
}

var errNoMessage = errors.New("the reply is not a protobuf message")

// pack encodes a reply together with its type.
func pack(reply any) ([]byte, error) {
	m, ok := reply.(proto.Message)
	if !ok {
		return nil, errNoMessage
	}
	packed, err := anypb.New(m)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(packed)
}

// replay answers with what is known.
func replay(ctx context.Context, known Answer) (any, error) {
	_ = grpc.SetTrailer(ctx, metadata.Pairs(ReplayedKey, "1"))
	if known.Open {
		_ = rpcerr.SetPushback(ctx, -1)
	}
	if len(known.Status) > 0 {
		var st statuspb.Status
		if err := proto.Unmarshal(known.Status, &st); err != nil || st.GetCode() == int32(codes.OK) {
			return nil, status.Error(codes.Internal, "the stored status cannot be read")
		}
		return nil, status.FromProto(&st).Err()
	}
	var packed anypb.Any
	if err := proto.Unmarshal(known.Reply, &packed); err != nil {
		return nil, status.Error(codes.Internal, "the stored reply cannot be read")
	}
	reply, err := packed.UnmarshalNew()
	if err != nil {
		return nil, status.Error(codes.Internal, "the stored reply cannot be read")
	}
	return reply, nil
}

func statusOf(err error) *status.Status {
	if st, ok := status.FromError(err); ok {
		return st
	}
	return status.FromContextError(err)
}

func statusBytes(st *status.Status) []byte {
	b, err := proto.Marshal(st.Proto())
	if err != nil { // details that cannot be encoded could not have been sent either
		bare := &statuspb.Status{Code: int32(st.Code()), Message: st.Message()} //nolint:gosec // codes are small
		b, _ = proto.Marshal(bare)
	}
	return b
}
