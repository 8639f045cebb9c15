// Package frameworktest runs Parley services against each other in memory, with everything switched on: mutual
// authentication, retry, tracing, discovery. It opens no socket, so it works inside testing/synctest, where retries
// with long backoffs and deadlines of minutes take no time at all and durations are exact:
//
//	synctest.Test(t, func(t *testing.T) {
//		network := frameworktest.NewNetwork(t)
//		payments := network.App("payments")
//		faults := frameworktest.NewFaults().Fail(getQuote, 2, codes.Unavailable)
//		paymentsv1.RegisterPaymentsServiceServer(network.Server(payments, faults.Option()), impl)
//		orders := network.App("orders")
//		client := paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))
//		network.Start()
//		...
//	})
//
// Make everything inside the bubble.
package frameworktest
