package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The environment of make soak: for how long, and how many crashes a second.
const (
	soakFor  = "AFTERSHOCK_SOAK_FOR"
	soakRate = "AFTERSHOCK_SOAK_RATE"
	// soakKafka has a real Kafka instead of the embedded broker.
	soakKafka = "AFTERSHOCK_SOAK_KAFKA"
)

// A soak looks at what a process takes in its steady state: soakWarm of it are not looked
// at, and then nothing may grow by more than these.
const (
	soakWarm        = 10 * time.Minute
	soakLook        = 15 * time.Second
	soakGrowth      = 1.15 // of memory, between the first and the last quarter
	soakDescriptors = 20
	soakThreads     = 10
)

// taken is what a process takes.
type taken struct{ bytes, descriptors, threads int }

func takenBy(pid int) (out taken, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return out, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		switch name {
		case "VmRSS":
			out.bytes = n << 10
		case "Threads":
			out.threads = n
		}
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	out.descriptors = len(open)
	return out, err
}

// TestSoak sends crashes at a steady rate for a long time: what each process takes stays
// flat, and every crash that was answered is seen once. make soak runs it.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv(soakFor))
	if err != nil {
		t.Skip("make soak runs it")
	}
	rate, err := strconv.Atoi(os.Getenv(soakRate))
	if err != nil {
		rate = 200
	}
	warm := min(soakWarm, length/2)
	processes := []string{"up", "broker", "clickhouse"}
	var u *upProcess
	if os.Getenv(soakKafka) == "" {
		u = startUp(t, "--symbols", sampleSymbols)
	} else {
		u, processes = startUpOnKafka(t, "--symbols", sampleSymbols), []string{"up", "clickhouse"}
	}
	stop := make(chan struct{})
	var answered []string
	var mu sync.Mutex
	var load sync.WaitGroup
	senders := 8
	for s := range senders {
		load.Go(func() {
			ids := u.steadily(stop, s, time.Second*time.Duration(senders)/time.Duration(rate))
			mu.Lock()
			defer mu.Unlock()
			answered = append(answered, ids...)
		})
	}
	looks := map[string][]taken{}
	began := time.Now()
	for time.Since(began) < length {
		time.Sleep(soakLook)
		for _, name := range processes {
			pid := u.cmd.Process.Pid
			if name != "up" {
				if pid, err = u.childPID(name); err != nil {
					t.Fatal(err)
				}
			}
			at, err := takenBy(pid)
			if err != nil {
				t.Fatal(err)
			}
			if time.Since(began) >= warm {
				looks[name] = append(looks[name], at)
			}
			if len(looks[name])%8 == 1 || time.Since(began) < 2*soakLook {
				t.Logf("%5.0f s %-10s %4d MB, %3d descriptors, %3d threads", time.Since(began).Seconds(), name, at.bytes>>20, at.descriptors, at.threads)
			}
		}
	}
	close(stop)
	load.Wait()
	t.Logf("%d crashes were answered, %.0f a second", len(answered), float64(len(answered))/length.Seconds())
	for name, of := range looks {
		first, last := of[:max(len(of)/4, 1)], of[len(of)*3/4:]
		was, is := steady(first), steady(last)
		t.Logf("%-10s %4d MB, %3d descriptors, %3d threads at first; %4d MB, %3d, %3d at last", name, was.bytes>>20, was.descriptors, was.threads, is.bytes>>20, is.descriptors, is.threads)
		if float64(is.bytes) > soakGrowth*float64(was.bytes) || is.descriptors > was.descriptors+soakDescriptors || is.threads > was.threads+soakThreads {
			t.Errorf("%s grows: %+v, then %+v", name, was, is)
		}
	}
	// Crash by crash: every answered one, and as many as the door has taken. A client that
	// waited too long on a busy machine was told nothing of one that was taken.
	slices.Sort(answered)
	eventually(t, 5*time.Minute, func() error {
		taken, err := u.accepted()
		if err != nil {
			return err
		}
		text, err := u.query("SELECT crash_id FROM crashes ORDER BY toString(crash_id) FORMAT TSV")
		if err != nil {
			return err
		}
		seen := lines(text)
		if len(seen) != taken || len(slices.Compact(slices.Clone(seen))) != taken {
			return fmt.Errorf("%d crashes are seen, %d were taken", len(seen), taken)
		}
		for _, id := range answered {
			if _, is := slices.BinarySearch(seen, id); !is {
				return fmt.Errorf("%s was answered and is not seen", id)
			}
		}
		return nil
	})
	u.whole()
}

// accepted is how many reports the door says that it took.
func (u *upProcess) accepted() (n int, err error) {
	text, err := httpGet("http://" + u.observed + "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, `aftershock_collector_reports_total{result="accepted"} `); ok {
			count, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return int(count), err
		}
	}
	return 0, errors.New("the door does not say how many reports it took")
}

// steady is the most memory, and the fewest descriptors and threads: a merge of ClickHouse
// opens two files a column for a moment, what leaks stays open.
func steady(of []taken) (out taken) {
	out = of[0]
	for _, t := range of {
		out = taken{max(out.bytes, t.bytes), min(out.descriptors, t.descriptors), min(out.threads, t.threads)}
	}
	return out
}

// steadily sends the sample crashes, one each pause, until stop, and returns the answered ids.
func (u *upProcess) steadily(stop <-chan struct{}, first int, pause time.Duration) (answered []string) {
	type report struct {
		body []byte
		kind string
	}
	var reports []report
	paths, _ := filepath.Glob("../../testdata/crashes/*.dmp")
	for _, path := range paths {
		dump, err := os.ReadFile(path)
		if err != nil {
			u.t.Error(err)
			return nil
		}
		body, kind := reportBody(u.t, dump)
		reports = append(reports, report{body, kind})
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := first; ; i++ {
		select {
		case <-stop:
			return answered
		case <-tick.C:
		}
		r := reports[i%len(reports)]
		if id, _ := u.send(r.body, r.kind); id != "" {
			answered = append(answered, id)
		}
	}
}
