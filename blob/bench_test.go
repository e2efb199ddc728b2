package blob_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"aftershock/internal/bucket/buckettest"
)

// BenchmarkS3Put stores objects of a usual dump's size, four at a time, in turns
// through blob.S3 and with minio-go alone. The ratio is the median of the turns':
// 1 when blob.S3 costs nothing.
func BenchmarkS3Put(b *testing.B) {
	const (
		objectBytes = 600 << 10
		writers     = 4
		perTurn     = 40
	)
	s := buckettest.Start(b)
	store := open(b, s.Name(buckettest.Bucket+"/blobs"))
	data := make([]byte, objectBytes)
	rand.Read(data)
	key := func(turn, i int) string {
		return fmt.Sprintf("raw/v1/2026/11/22/%08x-%04x-4000-8000-000000261122/upload_file_minidump-0123456789abcdef", turn, i)
	}
	put := map[string]func(key string) error{
		"blob": func(key string) error { return store.Put(b.Context(), key, data) },
		"minio": func(key string) error {
			_, err := s.Client.PutObject(b.Context(), buckettest.Bucket, "plain/"+key, bytes.NewReader(data), objectBytes, minio.PutObjectOptions{})
			return err
		},
	}
	turn := func(n int, put func(key string) error) time.Duration {
		start := time.Now()
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := w; i < perTurn; i += writers {
					if err := put(key(n, i)); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
		return time.Since(start)
	}
	var ratios []float64
	var ours time.Duration
	n := 0
	for b.Loop() {
		took := map[string]time.Duration{}
		order := []string{"blob", "minio"}
		if n%2 == 1 {
			slices.Reverse(order)
		}
		for _, name := range order {
			took[name] = turn(n, put[name])
		}
		n++
		ours += took["blob"]
		ratios = append(ratios, took["minio"].Seconds()/took["blob"].Seconds())
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64(n*perTurn)/ours.Seconds(), "puts/s")
}
