package sharedgzip

import "encoding/binary"

// AppendHeader appends the header of a gzip stream (RFC 1952), without a time and a name.
func AppendHeader(dst []byte) []byte {
	const deflate, unknownSystem = 8, 255
	return append(dst, 0x1f, 0x8b, deflate, 0, 0, 0, 0, 0, 0, unknownSystem)
}

// appendTrailer appends the end of a gzip stream: an empty last block, the CRC-32 and the length. sum must be that of
// all frames of the stream. Nothing may follow.
func appendTrailer(dst []byte, sum checksum) []byte {
	dst = append(dst, 0x03, 0x00) // a last block with fixed codes that has no symbol but its end
	dst = binary.LittleEndian.AppendUint32(dst, sum.crc)
	return binary.LittleEndian.AppendUint32(dst, uint32(sum.size))
}
