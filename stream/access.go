package stream

import (
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kerr"
)

// AccessError is the brokers' refusal of an operation, with the names that
// their answer lacks. Trying again does not help.
type AccessError struct {
	Operation string // as in an ACL: READ
	Resource  string // what it is: topic, group, transactional id, cluster
	Name      string
	Err       error
}

func (e *AccessError) Error() string {
	return fmt.Sprintf("not allowed to %s %s %s: grant it (docs/operations.md, Kafka access): %v", e.Operation, e.Resource, e.Name, e.Err)
}

func (e *AccessError) Unwrap() error { return e.Err }

// Named gives a refusal by the brokers the names of what was asked for; any
// other error is returned as it is. A group is described, or it is read,
// whatever is done with the topic.
func Named(err error, operation, topic, group, transactionalID string) error {
	var known *AccessError
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return &AccessError{operation, "topic", topic, err}
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		if operation != "DESCRIBE" {
			operation = "READ"
		}
		return &AccessError{operation, "group", group, err}
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return &AccessError{"WRITE", "transactional id", transactionalID, err}
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		return &AccessError{operation, "cluster", "kafka-cluster", err}
	}
	return err
}

// reached says more of a connection that was closed at once: brokers do so
// instead of telling what they dislike about a client.
func reached(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("a broker hung up at once (are the SASL mechanism, user and password right, and do both sides speak TLS, or neither?): %w", err)
	}
	return err
}
