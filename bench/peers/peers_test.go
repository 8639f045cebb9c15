package peers_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/bench/peers"
	"github.com/parley-rpc/parley/interceptors/retry/retrytest"
)

// all are the peers, each with the scenarios of Parley's acceptance list that it fails.
func all() []peers.Peer {
	return []peers.Peer{
		{Name: "grpc-go", Subject: peers.Native, Fails: []string{"01", "03", "06", "08", "09", "14", "15", "19"}},
		{
			Name: "go-grpc-middleware v2", Subject: peers.Middleware,
			Fails: []string{"01", "07", "09", "10", "13", "15", "16", "19", "25", "32", "35", "38"},
		},
		{Name: "gax-go", Subject: peers.Gax, Fails: []string{"01"}},
		{Name: "failsafegrpc", Subject: peers.Failsafe, Fails: []string{"07", "09", "10", "19"}},
	}
}

// check runs one case in a bubble of its own.
func check(t *testing.T, c retrytest.Case, subject retrytest.Subject) (err error) {
	synctest.Test(t, func(*testing.T) { err = c.Check(subject) })
	return err
}

func TestPeersStillFail(t *testing.T) {
	for _, peer := range all() {
		for _, number := range peer.Fails {
			t.Run(peer.Name+" "+number, func(t *testing.T) {
				for _, c := range retrytest.Cases() {
					if strings.HasPrefix(c.Name, number) && check(t, c, peer.Subject) != nil {
						return
					}
				}
				t.Errorf("it keeps the promises %s now; take it out of the list, and the claim out of the documents", number)
			})
		}
	}
}

func TestTable(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-75s %-8s", "", "Parley")
	for _, peer := range all() {
		fmt.Fprintf(&table, " %-22s", peer.Name)
	}
	for _, c := range retrytest.Cases() {
		fmt.Fprintf(&table, "\n%-75s %-8s", c.Name, mark(check(t, c, peers.Parley)))
		for _, peer := range all() {
			fmt.Fprintf(&table, " %-22s", mark(check(t, c, peer.Subject)))
		}
	}
	t.Log(table.String())
}

func mark(err error) string {
	if err != nil {
		return "fails"
	}
	return "ok"
}
