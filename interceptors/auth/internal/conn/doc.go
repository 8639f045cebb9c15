// Package conn is what one authenticated connection is: its HTTP/2 preface, its [Session] with the lifetime of the
// credential behind it, how either end drains it before its end, and the [WaitingRoom] of those that have proven
// nothing yet.
package conn
