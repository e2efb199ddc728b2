package stream

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A refusal has the names that the brokers' answer lacks, and any other error stays as it is.
func TestRefusalsAreNamed(t *testing.T) {
	known := &AccessError{"READ", "topic", "known", kerr.TopicAuthorizationFailed}
	other := errors.New("other")
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"a topic":            {kerr.TopicAuthorizationFailed, "not allowed to WRITE topic t: "},
		"a group":            {kerr.GroupAuthorizationFailed, "not allowed to READ group g: "},
		"a transactional id": {kerr.TransactionalIDAuthorizationFailed, "not allowed to WRITE transactional id x: "},
		"the cluster":        {kerr.ClusterAuthorizationFailed, "not allowed to WRITE cluster kafka-cluster: "},
		"one that is named":  {fmt.Errorf("as it was: %w", known), "as it was: not allowed to READ topic known: "},
		"another":            {other, "other"},
	} {
		got := Named(tc.err, "WRITE", "t", "g", "x")
		if !strings.HasPrefix(got.Error(), tc.want) || !errors.Is(got, tc.err) || errors.As(got, new(*AccessError)) == errors.Is(tc.err, other) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := Named(kerr.GroupAuthorizationFailed, "DESCRIBE", "t", "g", "x"); !strings.HasPrefix(got.Error(), "not allowed to DESCRIBE group g: ") {
		t.Error(got)
	}
	if Named(nil, "WRITE", "t", "g", "x") != nil {
		t.Error("no error is none")
	}
	if got, want := known.Error(), "not allowed to READ topic known: grant it (docs/operations.md, Kafka access): "+kerr.TopicAuthorizationFailed.Error(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := reached(fmt.Errorf("asked: %w", io.EOF)); !errors.Is(got, io.EOF) || !strings.HasPrefix(got.Error(), "a broker hung up at once (") {
		t.Error(got)
	}
	if got := reached(other); !errors.Is(got, other) || got.Error() != "other" {
		t.Error(got)
	}
}
