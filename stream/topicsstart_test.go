package stream_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// A door with a spool goes on without brokers: it must tell none from one that
// says what is wrong.
func TestNoBrokerIsToldFromOneThatRefuses(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil { // nobody listens there
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	uses := stream.Uses{Topics: []stream.Use{{Topic: schema.TopicRaw, Write: true}}}
	err = stream.CheckStart(ctx, stream.Kafka{Brokers: []string{ln.Addr().String()}, Log: zerolog.Nop()}, uses)
	if !errors.Is(err, stream.ErrNoBroker) {
		t.Errorf("without a broker: %v", err)
	}
	k, _ := streamtest.Broker(t, 1, "another") // without crash.raw
	if err = stream.CheckStart(t.Context(), k, uses); err == nil || errors.Is(err, stream.ErrNoBroker) {
		t.Errorf("without the topic: %v", err)
	}
}
