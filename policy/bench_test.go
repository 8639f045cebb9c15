package policy_test

import (
	"testing"

	"github.com/parley-rpc/parley/policy"
)

func BenchmarkViewGet(b *testing.B) {
	v := deadlines(policy.FromProto())
	if err := v.Resolve(getQuote, charge, refund, watchCharge, getOrder, watchOrder); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Get(charge); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkViewGetParallel(b *testing.B) {
	v := deadlines(policy.FromProto())
	if err := v.Resolve(getQuote, charge, refund, watchCharge, getOrder, watchOrder); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := v.Get(charge); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkTableMethod(b *testing.B) {
	table := policy.FromProto()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Method(getQuote); err != nil {
			b.Fatal(err)
		}
	}
}
