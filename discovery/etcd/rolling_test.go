package etcd_test

import (
	"testing"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// Three replicas are restarted one after the other, over sockets and a real etcd. Calls are not retried.
func TestRollingRestartOfThreeReplicasUnder300CallsASecondFailsNoCall(t *testing.T) {
	e := newEngine(t)
	replicas := []*replica{newReplica(t, e), newReplica(t, e), newReplica(t, e)}
	client := channel(t, found(t, e))
	charge := func() error {
		_, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{})
		return err
	}
	underLoad(t, charge, func() {
		for _, r := range replicas {
			r.stop()
			newReplica(t, e)
		}
	})
}
