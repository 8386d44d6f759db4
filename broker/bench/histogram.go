package bench

import (
	"math/bits"
	"time"
)

// histogram counts durations in nanoseconds. Its buckets are 3 % wide.
type histogram struct {
	buckets [64 * subBuckets]uint64
	count   int64
	max     int64
}

// subBuckets is the number of buckets for each power of two.
const subBuckets = 32

// bucketOf returns the bucket of a duration.
func bucketOf(v int64) int {
	if v < subBuckets {
		return int(max(v, 0))
	}
	shift := bits.Len64(uint64(v)) - 6
	return (shift+1)*subBuckets + int(v>>shift) - subBuckets
}

// lowerBound returns the least duration of a bucket.
func lowerBound(bucket int) int64 {
	if bucket < subBuckets {
		return int64(bucket)
	}
	return int64(bucket%subBuckets+subBuckets) << (bucket/subBuckets - 1)
}

// record counts a duration.
func (h *histogram) record(v int64) {
	h.buckets[bucketOf(v)]++
	h.count++
	h.max = max(h.max, v)
}

// add adds the counts of another histogram.
func (h *histogram) add(other *histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
	h.max = max(h.max, other.max)
}

// quantile returns a duration that the fraction q of all durations does not exceed, up to
// the width of a bucket. It returns 0 for an empty histogram.
func (h *histogram) quantile(q float64) time.Duration {
	rank, sum := int64(q*float64(h.count)), int64(0)
	for bucket, n := range h.buckets {
		sum += int64(n)
		if sum > rank {
			return time.Duration(lowerBound(bucket))
		}
	}
	return time.Duration(h.max)
}
