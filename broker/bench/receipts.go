package bench

import "math/bits"

// bitset is a set of small numbers.
type bitset []uint64

// newBitset returns an empty set of numbers below n.
func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

// add adds a number, and tells whether the set did not have it before.
func (s bitset) add(n int) bool {
	word, bit := &s[n/64], uint64(1)<<(n%64)
	isNew := *word&bit == 0
	*word |= bit
	return isNew
}

// countMissing returns the number of elements of s that other has not.
func (s bitset) countMissing(other bitset) (n int) {
	for i, word := range s {
		n += bits.OnesCount64(word &^ other[i])
	}
	return n
}

// schedule says which connection publishes which events. Connection k sends the requests
// k, k+publishers, k+2*publishers and so on, one after the other. So a subscriber must
// receive the events of each connection in the order of their numbers.
type schedule struct{ events, batch, publishers int }

// publisherOf returns the connection that publishes an event.
func (s schedule) publisherOf(event int) int { return event / s.batch % s.publishers }

// arrivals counts what arrives at several subscribers.
type arrivals struct {
	delivered  int64 // events that a subscriber received for the first time
	duplicates int64
	outOfOrder int64 // events after a later event of the same publisher
	delays     histogram
}

// add adds the counts of another.
func (a *arrivals) add(other *arrivals) {
	a.delivered += other.delivered
	a.duplicates += other.duplicates
	a.outOfOrder += other.outOfOrder
	a.delays.add(&other.delays)
}

// receipts notes which events one subscriber has received.
type receipts struct {
	schedule schedule
	seen     bitset
	next     []int32 // for each publisher, the least number that comes in order
	count    int64
}

// newReceipts returns the receipts of a subscriber that has received nothing.
func newReceipts(s schedule) *receipts {
	return &receipts{schedule: s, seen: newBitset(s.events), next: make([]int32, s.publishers)}
}

// record counts an event that has arrived with a delay in nanoseconds, and tells whether
// it was new. It ignores events of the warm-up, which have greater numbers.
func (r *receipts) record(number int, delay int64, to *arrivals) bool {
	if number >= r.schedule.events {
		return false
	}
	if !r.seen.add(number) {
		to.duplicates++
		return false
	}
	next := &r.next[r.schedule.publisherOf(number)]
	if int32(number) < *next {
		to.outOfOrder++
	} else {
		*next = int32(number) + 1
	}
	r.count++
	to.delivered++
	to.delays.record(delay)
	return true
}
