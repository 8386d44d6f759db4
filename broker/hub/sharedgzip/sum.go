package sharedgzip

import "hash/crc32"

// A checksum is the CRC-32 and the length of a string of bytes. The zero checksum is that of no bytes. Two
// checksums can be compared with ==. A checksum takes 16 bytes.
type checksum struct {
	crc  uint32
	size int64 // in bytes
}

// add returns the sum of the bytes of s followed by p.
func (s checksum) add(p []byte) checksum {
	return checksum{crc32.Update(s.crc, crc32.IEEETable, p), s.size + int64(len(p))}
}

// then returns the sum of the bytes of s followed by those of next. It takes a few microseconds,
// whatever the lengths.
func (s checksum) then(next checksum) checksum {
	return checksum{appendZeros(s.crc, next.size) ^ next.crc, s.size + next.size}
}

// since returns the sum of the bytes that follow those of start in s. The bytes of s must begin with those of start.
// It is the inverse of then: start.then(s.since(start)) == s.
func (s checksum) since(start checksum) checksum {
	n := s.size - start.size
	return checksum{appendZeros(start.crc, n) ^ s.crc, n}
}

// A CRC is a polynomial over GF(2) modulo crc32.IEEE, in which bit 31 is the coefficient of x⁰. n more bytes multiply
// it by x⁸ⁿ. The bits that CRC-32 inverts at the begin and the end cancel out when two sums are combined.

// powers has x to the power 2ⁱ at index i. Index 32 would be that of index 0 again.
var powers = func() (p [32]uint32) {
	p[0] = 1 << 30 // x
	for i := 1; i < len(p); i++ {
		p[i] = multiply(p[i-1], p[i-1])
	}
	return p
}()

// appendZeros returns crc·x⁸ⁿ. n must not be negative.
func appendZeros(crc uint32, n int64) uint32 {
	for i, bits := 3, uint64(n); bits != 0; i, bits = i+1, bits>>1 {
		if bits&1 != 0 {
			crc = multiply(crc, powers[i%len(powers)])
		}
	}
	return crc
}

// multiply returns the product of two polynomials. It has no branches, because the processor could not predict them.
func multiply(a, b uint32) uint32 {
	var product uint32
	for range 32 {
		product ^= b & -(a >> 31)
		a <<= 1
		b = b>>1 ^ crc32.IEEE&-(b&1)
	}
	return product
}
