package sharedgzip

import "encoding/binary"

// HeaderSize is the length of the header of a stream, in bytes.
const HeaderSize = 10

// TrailerSize is the length of the end of a stream, in bytes.
const TrailerSize = 10

// AppendHeader appends the header of a gzip stream (RFC 1952), without a time and a name.
func AppendHeader(dst []byte) []byte {
	const deflate, unknownSystem = 8, 255
	return append(dst, 0x1f, 0x8b, deflate, 0, 0, 0, 0, 0, 0, unknownSystem)
}

// AppendTrailer appends the end of a gzip stream: an empty last block, the CRC-32 and the length. sum must be that of
// all frames of the stream. Nothing may follow.
func AppendTrailer(dst []byte, sum Sum) []byte {
	dst = append(dst, 0x03, 0x00) // a last block with fixed codes that has no symbol but its end
	dst = binary.LittleEndian.AppendUint32(dst, sum.crc)
	return binary.LittleEndian.AppendUint32(dst, uint32(sum.size))
}
