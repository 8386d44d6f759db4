package jetlog

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// processTime returns the processor time that this process has used.
func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchmarkEntry returns an entry of about the size of a published event.
func benchmarkEntry(i int64) eventlog.Entry {
	e := syncEntry(fmt.Sprintf("%064d", i))
	e.Digest, e.Body = e.Key, fmt.Appendf(nil, `{"text":"%0400d"}`, i)
	return e
}

// BenchmarkAppend appends from 1 and from 64 goroutines, each with one entry at a
// time. cpu-s/100k is the processor time for 100,000 entries.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			log, err := Open(b.Context(), Config{Dir: b.TempDir()})
			require.NoError(b, err)
			defer log.Close()
			var next atomic.Int64
			var all sync.WaitGroup
			before := processTime(b)
			b.ResetTimer()
			for range writers {
				all.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if _, err := log.Append(b.Context(), benchmarkEntry(i)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric((processTime(b)-before).Seconds()/float64(b.N)*1e5, "cpu-s/100k")
		})
	}
}

// BenchmarkAppendBatch appends batches of 1,000 entries.
func BenchmarkAppendBatch(b *testing.B) {
	log, err := Open(b.Context(), Config{Dir: b.TempDir()})
	require.NoError(b, err)
	defer log.Close()
	entries := make([]eventlog.Entry, 1000)
	for n := 0; b.Loop(); n++ {
		for i := range entries {
			entries[i] = benchmarkEntry(int64(n*len(entries) + i))
		}
		_, err := log.AppendBatch(b.Context(), entries)
		require.NoError(b, err)
	}
}
