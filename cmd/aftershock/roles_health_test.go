package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"aftershock/internal/freeport"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

func (h *health) ask() (int, string) {
	w := httptest.NewRecorder()
	h.readyz(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	return w.Code, w.Body.String()
}

func TestReadinessIsThatOfAllParts(t *testing.T) {
	h := newHealth(prometheus.NewRegistry())
	for _, step := range []struct {
		name string
		do   func()
		code int
		says string
	}{
		{"nobody has said what there is to do", func() {}, http.StatusServiceUnavailable, "starting\n"},
		{"a part begins", func() { h.part("a") }, http.StatusServiceUnavailable, "a: not ready\n"},
		{"it works", func() { h.part("a")(nil) }, http.StatusOK, "a: ready\n"},
		{"another does not", func() { h.part("b")(errors.New("x")) }, http.StatusServiceUnavailable, "a: ready\nb: not ready\n"},
		{"and goes", func() { h.drop("b") }, http.StatusOK, "a: ready\n"},
		{"one that is seen is not served", func() { h.unserved("b", true) }, http.StatusServiceUnavailable, "b: " + string(partUnserved)},
		{"it is seen no more", func() { h.unserved("b", false) }, http.StatusOK, "b: " + string(partUnseen)},
	} {
		step.do()
		if code, text := h.ask(); code != step.code || !strings.Contains(text, step.says) {
			t.Errorf("%s: %d, %s", step.name, code, text)
		}
	}
}

// A role is alive before brokers and tables answer, and not ready before it knows what
// there is to do.
func TestRoleIsAliveBeforeItIsReady(t *testing.T) {
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	k, _ := streamtest.Cluster(t)
	if err := prepare(t.Context(), k, topicFlags{Partitions: 1, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"the sink before its migrations": {"sink", "clickhouse", "--brokers", k.Brokers[0], "--clickhouse-url", "http://" + silent.Addr().String()},
		"a sink before its brokers":      {"sink", "telemetry", "--brokers", silent.Addr().String()},
	} {
		observed := freeport.Address(t)
		cmd := program(t.Context(), append(args, "--metrics-listen", observed)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, func() error {
			_, err := httpGet("http://" + observed + "/healthz")
			return err
		})
		if _, err := httpGet("http://" + observed + "/readyz"); err == nil || !strings.HasPrefix(err.Error(), "503") {
			t.Errorf("%s: readyz: %v", name, err)
		}
		cmd.Process.Kill()
		cmd.Wait() //nolint:errcheck // it was killed
	}
}

// Each part is there before its role stops standing for all of them.
func TestRoleIsNotReadyBeforeItsParts(t *testing.T) {
	k, _ := streamtest.Cluster(t)
	if err := prepare(t.Context(), k, topicFlags{Partitions: 1, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	r := newRoles(k, "0", zerolog.Nop(), prometheus.NewRegistry(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun := make(chan struct{})
	go r.perVersion(ctx, versionRole{
		name:   "role",
		wanted: whole(clickHouseWants),
		run: func(ctx context.Context, _ *schema.SignatureVersion, _ stream.Part, ready func(error)) error {
			close(begun)
			ready(nil)
			<-ctx.Done()
			return nil
		},
	})
	eventually(t, 10*time.Second, func() error {
		if code, text := r.health.ask(); code != http.StatusServiceUnavailable || text != "role: not ready\n" {
			return errors.New(text)
		}
		return nil
	})
	go r.versions.Run(ctx)
	for {
		code, text := r.health.ask()
		if code == http.StatusOK {
			if text != "role.v1: ready\n" {
				t.Errorf("ready: %q", text)
			}
			break
		}
		select {
		case <-t.Context().Done():
			t.Fatal(text)
		default:
		}
	}
	<-begun
}
