// Command tool needs no example.
package main

func Exported() {}
