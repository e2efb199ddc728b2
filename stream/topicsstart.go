package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
)

// Use is what a role does with a topic.
type Use struct {
	Topic       string
	Read, Write bool
}

// Uses are those of a role.
type Uses struct {
	Topics []Use
	// Processed is the use of the processed topics of the versions that Wanted
	// says yes to; its Topic is not looked at. A nil Wanted is for roles that
	// need neither these nor the versions log.
	Processed Use
	Wanted    func(state *schema.VersionEvent, v schema.SignatureVersion) bool
}

const (
	// checkDeadline bounds looking at a cluster before a role starts, and
	// waiting for brokers that are not there yet.
	checkDeadline = 30 * time.Second
	checkPause    = 500 * time.Millisecond
)

// ErrNoBroker is wrapped when no broker answered in time.
var ErrNoBroker = errors.New("no broker")

// CheckStart is called before a role begins: it is the part of CheckTopics
// that is cheap and about crashes being lost or doubled, for the topics that the
// role uses, and whether it may use them. Warnings are logged. An error names
// everything that is wrong, and the way out. Brokers that start at the same time
// as the role are waited for.
func CheckStart(ctx context.Context, k Kafka, u Uses) error {
	ctx, cancel := context.WithTimeout(ctx, checkDeadline)
	defer cancel()
	for {
		err := checkStart(ctx, k, u)
		if err == nil || !away(err) && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w at %s: %w", ErrNoBroker, strings.Join(k.Brokers, ", "), err)
		case <-time.After(checkPause):
		}
	}
}

// away tells an error of brokers that are not there, or not ready, from one that stays.
func away(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial" || kerr.IsRetriable(err)
}

func checkStart(ctx context.Context, k Kafka, u Uses) error {
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		return err
	}
	defer cl.Close()
	uses := slices.Clone(u.Topics)
	if u.Wanted != nil {
		uses = append(uses, Use{Topic: schema.TopicVersions, Read: true})
	}
	seen, err := lookAt(ctx, cl, tableOf(uses))
	if err != nil {
		return err
	}
	if err := allowed(seen, uses); err != nil {
		return err
	}
	if u.Wanted != nil && !slices.ContainsFunc(seen, func(t seenTopic) bool { return t.missing }) {
		more, err := u.lookAtProcessed(ctx, k, cl)
		if err != nil {
			return err
		}
		seen = append(seen, more...)
	}
	return k.stops(append(settingsFindings(seen), partitionFindings(seen)...))
}

// lookAtProcessed looks at the processed topics of the versions there are now.
func (u Uses) lookAtProcessed(ctx context.Context, k Kafka, cl *kgo.Client) ([]seenTopic, error) {
	state, err := NewestVersions(ctx, k)
	if err != nil || state == nil {
		return nil, err
	}
	topics := processedTopics(state, func(v schema.SignatureVersion) bool { return u.Wanted(state, v) })
	seen, err := lookAt(ctx, cl, topics)
	if err != nil {
		return nil, err
	}
	uses := make([]Use, len(topics))
	for i, t := range topics {
		uses[i] = Use{t.Name, u.Processed.Read, u.Processed.Write}
	}
	return seen, allowed(seen, uses)
}

// tableOf is the part of the table about the topics.
func tableOf(uses []Use) []schema.Topic {
	return slices.DeleteFunc(schema.Topics(0), func(t schema.Topic) bool {
		return !slices.ContainsFunc(uses, func(u Use) bool { return u.Topic == t.Name })
	})
}

// allowed returns an AccessError for the first use that the brokers would refuse.
func allowed(seen []seenTopic, uses []Use) error {
	for _, t := range seen {
		if t.allowed == nil && t.refused == nil {
			continue // missing, or a broker that does not say
		}
		reason := cmp.Or(t.refused, errNoACL)
		for _, u := range uses {
			if u.Topic != t.Name {
				continue
			}
			if u.Read && !slices.Contains(t.allowed, kmsg.ACLOperationRead) {
				return &AccessError{"READ", "topic", t.Name, reason}
			}
			if u.Write && !slices.Contains(t.allowed, kmsg.ACLOperationWrite) {
				return &AccessError{"WRITE", "topic", t.Name, reason}
			}
		}
	}
	return nil
}

var errNoACL = errors.New("the brokers do not list it among the operations allowed to us")

// stops makes an error of the findings that no role may start with, and logs the others.
func (k Kafka) stops(findings []Finding) error {
	var wrong []string
	for _, f := range findings {
		if f.Stops {
			wrong = append(wrong, f.String())
			continue
		}
		k.Log.Warn().Str("topic", f.Topic).Str("setting", f.Setting).Str("is", f.Is).Str("want", f.Want).Str("mend", f.Mend).Msg(f.Why)
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("crashes would be lost or doubled (aftershock topics check tells all):\n  %s", strings.Join(wrong, "\n  "))
}
