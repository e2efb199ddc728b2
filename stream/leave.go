package stream

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// leaveDeadline bounds leaving a group: after the session's timeout a member is out of
// it anyway.
const leaveDeadline = sessionTimeout

// Leave takes a member that has stopped out of its group, if ctx was cancelled because
// nobody wants it any more (ErrUnwanted), or because there is nothing left for it
// (ErrDone): who changes the versions waits until the group is empty. A member
// that just stops stays in it, so that its restart moves no partitions.
func (k Kafka) Leave(ctx context.Context, group, instance string) {
	if !unwanted(ctx) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveDeadline)
	defer cancel()
	if err := k.leave(ctx, group, instance); err != nil {
		k.Log.Warn().Err(err).Str("group", group).Msg("group not left: its brokers will notice")
	}
}

func (k Kafka) leave(ctx context.Context, group, instance string) error {
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		return err
	}
	defer cl.Close()
	left, err := kadm.NewClient(cl).LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs(instance).Reason("not wanted any more"))
	if err == nil {
		err = left.Error()
	}
	if errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.GroupIDNotFound) {
		return nil // it was out already, or never in
	}
	return Named(err, "READ", "", group, "")
}

// unwanted tells whether a loop ends for good, and not because its process does.
func unwanted(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return errors.Is(cause, ErrUnwanted) || errors.Is(cause, ErrDone)
}
