package bench

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReceiptsCountLostDoubledAndUnorderedEvents(t *testing.T) {
	var all arrivals
	r := newReceipts(schedule{events: 100, batch: 1, publishers: 1})
	for _, number := range []int{0, 1, 1, 4, 3, 5, 99, 100, 2000} {
		r.record(number, 1, &all)
	}
	require.Equal(t, int64(6), all.delivered, "numbers above 99 are of the warm-up")
	require.Equal(t, int64(6), r.count)
	require.Equal(t, int64(1), all.duplicates)
	require.Equal(t, int64(1), all.outOfOrder)
	acknowledged := newBitset(100)
	for number := range 10 {
		acknowledged.add(number)
	}
	require.Equal(t, 5, acknowledged.countMissing(r.seen), "2, 6, 7, 8 and 9")
}

// Publishers do not wait for each other, so only the events of one have an order.
func TestOrderIsThatOfEachPublisher(t *testing.T) {
	for _, c := range []struct {
		schedule   schedule
		numbers    []int
		outOfOrder int64
	}{
		{schedule{events: 8, batch: 1, publishers: 2}, []int{1, 3, 0, 5, 2}, 0},
		{schedule{events: 8, batch: 1, publishers: 2}, []int{3, 1}, 1},
		{schedule{events: 8, batch: 2, publishers: 2}, []int{2, 3, 0, 1, 6, 4}, 0},
		{schedule{events: 8, batch: 2, publishers: 2}, []int{4, 2, 0, 1}, 2},
	} {
		var all arrivals
		r := newReceipts(c.schedule)
		for _, number := range c.numbers {
			r.record(number, 1, &all)
		}
		require.Equal(t, c.outOfOrder, all.outOfOrder, "%v", c)
	}
}

func TestQuantilesAreWithinABucket(t *testing.T) {
	var low, high histogram
	require.Zero(t, low.quantile(0.5))
	for v := int64(1); v <= 1000; v++ {
		if v <= 500 {
			low.record(v * 1000)
		} else {
			high.record(v * 1000)
		}
	}
	low.add(&high)
	require.InEpsilon(t, 500_000, int64(low.quantile(0.5)), 0.04)
	require.InEpsilon(t, 990_000, int64(low.quantile(0.99)), 0.04)
	require.Equal(t, int64(1_000_000), low.max)
	require.Equal(t, int64(1_000_000), int64(low.quantile(1)))
	for _, v := range []int64{-5, 0, 31, 32, 63, 64, 1 << 40, 1<<62 + 1} {
		bound := lowerBound(bucketOf(v))
		require.LessOrEqual(t, bound, max(v, 0))
		require.LessOrEqual(t, float64(max(v, 0)-bound), float64(v)/subBuckets+1)
	}
}
