// Package plannedend lets the handler of a stream see a planned end coming: its connection comes of age, a key was
// renewed, or its server stops. Until the stated time the handler can finish its work and return; after that its stream
// ends with UNAVAILABLE and the reason PLANNED_END, which retries follow without a cost.
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
// Package interceptors/auth announces the end of connections and credentials, package framework that of a server.
package plannedend
