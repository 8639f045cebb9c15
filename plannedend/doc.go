// Package plannedend notifies the handler of a stream in advance of a planned end: its connection reaches its maximum
// age, a key was renewed, or its server stops. Until the announced time the handler can finish its work and return.
// After that, its stream ends with UNAVAILABLE and the reason PLANNED_END, which retries continue without a cost.
//
//	ending := plannedend.FromContext(stream.Context())
//	for {
//		select {
//		case <-ending.Coming():
//			return finish(stream, ending.By())
//		case event := <-events:
//			...
//		}
//	}
//
// Package interceptors/auth announces the end of connections and credentials, and package framework announces the stop
// of a server.
package plannedend
