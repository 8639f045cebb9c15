package retry

import "unsafe"

const size = int(unsafe.Sizeof(1))

func raw(p *int) unsafe.Pointer { // want `unsafe.Pointer is not used here`
	return unsafe.Add(p, size) // want `unsafe.Add is not used here`
}
