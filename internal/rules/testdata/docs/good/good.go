// Package good is documented.
package good

// One is exported.
func One() {}
