package plannedend_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/parley-rpc/parley/plannedend"
)

func coming(n *plannedend.Notice) bool {
	select {
	case <-n.Coming():
		return true
	default:
		return false
	}
}

func TestTheEarliestEndCounts(t *testing.T) {
	begin := time.Unix(1_000, 0)
	server, connection, stream := plannedend.New(), plannedend.New(), plannedend.New()
	defer stream.Follow(server)()
	stop := stream.Follow(connection)
	if coming(stream) || !stream.By().IsZero() {
		t.Error("an end was announced before there was one")
	}
	connection.Announce(begin.Add(time.Minute))
	if !coming(stream) || stream.By() != begin.Add(time.Minute) {
		t.Errorf("the end of the connection: %v", stream.By())
	}
	server.Announce(begin.Add(time.Hour))
	if stream.By() != begin.Add(time.Minute) {
		t.Errorf("a later end took the place of an earlier one: %v", stream.By())
	}
	server.Announce(begin)
	if stream.By() != begin {
		t.Errorf("an earlier end was not announced: %v", stream.By())
	}
	stop()
	connection.Announce(begin.Add(-time.Minute))
	if stream.By() != begin {
		t.Errorf("an end was announced after the stream had stopped to follow: %v", stream.By())
	}
	late := plannedend.New()
	defer late.Follow(server)()
	if !coming(late) || late.By() != begin {
		t.Error("a stream that opens late does not know of the end")
	}
}

func TestNoNotice(t *testing.T) {
	n := plannedend.FromContext(t.Context())
	if n != nil || coming(n) || !n.By().IsZero() {
		t.Error("there is an end that nobody has planned")
	}
	plannedend.New().Follow(nil)()
}

// A handler finishes when it learns that its stream is to end.
func ExampleFromContext() {
	serve := func(ctx context.Context, events <-chan string) {
		ending := plannedend.FromContext(ctx)
		for {
			select {
			case <-ending.Coming():
				fmt.Println("finished by", ending.By().UTC().Format(time.TimeOnly))
				return
			case event := <-events:
				fmt.Println(event)
			}
		}
	}
	ending := plannedend.New()
	ending.Announce(time.Unix(60, 0))
	serve(plannedend.NewContext(context.Background(), ending), nil)
	// Output: finished by 00:01:00
}
