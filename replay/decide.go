package replay

import (
	"errors"
	"fmt"
	"slices"

	"aftershock/schema"
)

// The functions of this file are what an operation makes of the state before it.
// They change nothing of that state, and refuse with an error that says the way
// out.

// ErrUnderWay is wrapped by what is refused while the activation changes.
var ErrUnderWay = errors.New("a promotion is under way: finish it with replay promote, or end it with replay promote --abort")

// maxVersions bounds the versions that something is made of: each costs every processor a
// loop. Those that have ended or are archived cost nothing, and do not count.
const maxVersions = 20

// version returns a copy of the state and the version in it.
func version(now *schema.VersionEvent, n int32) (*schema.VersionEvent, *schema.SignatureVersion, error) {
	if now == nil {
		return nil, nil, errors.New("crash.versions is empty: topics create announces the first signature version")
	}
	next := now.Clone()
	v := next.Version(n)
	if v == nil {
		return nil, nil, fmt.Errorf("there is no signature version %d", n)
	}
	return next, v, nil
}

// quiet is version outside of promotions.
func quiet(now *schema.VersionEvent, n int32) (*schema.VersionEvent, *schema.SignatureVersion, error) {
	next, v, err := version(now, n)
	if err == nil && now.Promotion != nil {
		err = ErrUnderWay
	}
	return next, v, err
}

// started adds a version; its number is the next one.
func started(now *schema.VersionEvent, v schema.SignatureVersion) (*schema.VersionEvent, error) {
	if now == nil {
		return nil, errors.New("crash.versions is empty: topics create announces the first signature version")
	}
	if now.Promotion != nil {
		return nil, ErrUnderWay
	}
	next := now.Clone()
	kept := 0
	for _, have := range next.Versions {
		if have.Kept() {
			kept++
		}
	}
	if kept >= maxVersions {
		return nil, fmt.Errorf("%d signature versions are being made: retire, archive or drop one first", kept)
	}
	v.Number, v.State = nextNumber(now), schema.StateLive
	next.Versions = append(next.Versions, v)
	return next, nil
}

// nextNumber is never used before: dropped versions keep theirs.
func nextNumber(now *schema.VersionEvent) int32 {
	n := int32(0)
	for _, v := range now.Versions {
		n = max(n, v.Number)
	}
	return n + 1
}

// replaying is a version whose replay can be steered.
func replaying(now *schema.VersionEvent, n int32) (*schema.VersionEvent, *schema.SignatureVersion, error) {
	next, v, err := quiet(now, n)
	if err == nil && v.State != schema.StateLive {
		err = fmt.Errorf("signature version %d is %s: nothing of it is replayed", n, v.State)
	}
	return next, v, err
}

func paused(now *schema.VersionEvent, n int32, pause bool) (*schema.VersionEvent, error) {
	next, v, err := replaying(now, n)
	if err != nil {
		return nil, err
	}
	v.Paused = pause
	return next, nil
}

func shared(now *schema.VersionEvent, n int32, share float64) (*schema.VersionEvent, error) {
	next, v, err := replaying(now, n)
	if err != nil {
		return nil, err
	}
	v.Share = share
	return next, nil
}

// held begins a promotion to the given ranges: versions that lose something stop.
func held(now *schema.VersionEvent, ranges []schema.ActiveRange) (*schema.VersionEvent, error) {
	if now.Promotion != nil {
		return nil, ErrUnderWay
	}
	moves := changes(now.Activation.Ranges, ranges)
	if len(moves) == 0 {
		return nil, errors.New("nothing would change: that is what is seen already")
	}
	next := now.Clone()
	next.Promotion = &schema.Promotion{Ranges: slices.Clone(ranges)}
	for _, n := range winners(moves) {
		if err := canWin(next.Version(n), moves); err != nil {
			return nil, fmt.Errorf("signature version %d cannot be seen: %w", n, err)
		}
	}
	for _, n := range losers(moves) {
		if v := next.Version(n); v != nil && v.Processed() && !slices.Contains(winners(moves), n) {
			next.Promotion.Held = append(next.Promotion.Held, schema.HeldVersion{Number: n, State: v.State})
			v.State = schema.StateHeld
		}
	}
	return next, nil
}

// canWin tells why a version cannot be seen for what it gains.
func canWin(v *schema.SignatureVersion, moves []change) error {
	switch {
	case v == nil:
		return errors.New("it does not exist")
	case v.State != schema.StateLive:
		return fmt.Errorf("it is %s", v.State)
	case v.Paused:
		return errors.New("it is paused: replay resume lets it go on")
	}
	for _, c := range moves {
		if c.winner == v.Number && (v.From != nil && c.from.Before(*v.From) || v.To != nil && v.To.Before(c.to)) {
			return errors.New("it is not made for all crashes of the range: give --from and --to of its replay")
		}
	}
	return nil
}

// stop is where a version stopped.
type stop struct {
	raw, requests []schema.PartitionOffset
}

// promoted ends a promotion: the activation changes.
func promoted(now *schema.VersionEvent, stops map[int32]stop) (*schema.VersionEvent, error) {
	if now.Promotion == nil {
		return nil, errors.New("no promotion is under way: somebody finished or ended it")
	}
	next := now.Clone()
	next.Activation = schema.Activation{Epoch: now.Activation.Epoch + 1, Ranges: now.Promotion.Ranges}
	next.Promotion = nil
	for _, h := range now.Promotion.Held {
		settle(next, next.Version(h.Number), stops[h.Number])
	}
	for i := range next.Versions {
		if v := &next.Versions[i]; v.State == schema.StateArchived && !next.Activation.Names(v.Number) {
			v.State = schema.StateEnded // nothing of it is seen any more
		}
	}
	return next, nil
}

// settle ends a version that was held, but for late crashes that are seen in it.
func settle(next *schema.VersionEvent, v *schema.SignatureVersion, s stop) {
	v.State = schema.StateEnded
	if next.Activation.Names(v.Number) {
		v.State = schema.StateNarrowed
	}
	if len(v.Ends) == 0 { // else it was narrowed before: it has done all before those alone
		v.Ends, v.RequestEnds = s.raw, s.requests
	}
}

// archiving takes a narrowed version's loops away: crashes that come late are asked for from
// then on.
func archiving(now *schema.VersionEvent, n int32) (*schema.VersionEvent, error) {
	next, v, err := quiet(now, n)
	switch {
	case err != nil:
		return nil, err
	case v.State == schema.StateArchiving:
		return nil, nil //nolint:nilnil // begun already
	case v.State != schema.StateNarrowed:
		return nil, fmt.Errorf("signature version %d is %s: only one that is narrowed can be archived", n, v.State)
	}
	v.State = schema.StateArchiving
	return next, nil
}

// archived ends it.
func archived(now *schema.VersionEvent, n int32) (*schema.VersionEvent, error) {
	next, v, err := quiet(now, n)
	switch {
	case err != nil:
		return nil, err
	case v.State != schema.StateArchiving:
		return nil, fmt.Errorf("signature version %d is %s", n, v.State)
	}
	v.State = schema.StateArchived
	return next, nil
}

// aborted ends a promotion with everything as it was.
func aborted(now *schema.VersionEvent) (*schema.VersionEvent, error) {
	if now == nil || now.Promotion == nil {
		return nil, errors.New("no promotion is under way")
	}
	next := now.Clone()
	for _, h := range now.Promotion.Held {
		next.Version(h.Number).State = h.State
	}
	next.Promotion = nil
	return next, nil
}

// halted stops a version outside of promotions: the first half of retiring and of
// reopening. It gives nothing when nobody processes it already.
func halted(now *schema.VersionEvent, n int32) (*schema.VersionEvent, error) {
	next, v, err := quiet(now, n)
	switch {
	case err != nil:
		return nil, err
	case v.Gone():
		return nil, fmt.Errorf("signature version %d is %s", n, v.State)
	case !v.Processed():
		return nil, nil //nolint:nilnil // see above
	}
	v.State = schema.StateHeld
	return next, nil
}

// retired ends a version that was halted, but for late crashes that are seen in it.
func retired(now *schema.VersionEvent, n int32, s stop) (*schema.VersionEvent, error) {
	next, v, err := quiet(now, n)
	switch {
	case err != nil:
		return nil, err
	case v.State != schema.StateHeld:
		return nil, fmt.Errorf("signature version %d is %s", n, v.State)
	}
	settle(next, v, s)
	return next, nil
}

// reopened lets a version that has stopped go on from its ends.
func reopened(now *schema.VersionEvent, n int32, share float64) (*schema.VersionEvent, error) {
	next, v, err := quiet(now, n)
	switch {
	case err != nil:
		return nil, err
	case v.State != schema.StateEnded && v.State != schema.StateHeld && v.State != schema.StateArchived:
		return nil, fmt.Errorf("signature version %d is %s", n, v.State)
	}
	v.State, v.Ends, v.RequestEnds, v.Paused, v.Share = schema.StateLive, nil, nil, false, share
	return next, nil
}

// dropping begins to remove a version. It is refused while anything needs it.
func dropping(now *schema.VersionEvent, n int32, resigning map[int32]bool) (*schema.VersionEvent, error) {
	next, v, err := quiet(now, n)
	switch {
	case err != nil:
		return nil, err
	case v.State == schema.StateDropped:
		return nil, fmt.Errorf("signature version %d is dropped", n)
	case now.Activation.Names(n):
		return nil, fmt.Errorf("signature version %d is seen for some crashes: promote another one for them first", n)
	}
	for _, other := range now.Versions {
		if other.Base == n && resigning[other.Number] && !other.Gone() {
			return nil, fmt.Errorf("signature version %d is still being made from version %d: wait, or drop it first", other.Number, n)
		}
	}
	if v.State == schema.StateDropping {
		return nil, nil //nolint:nilnil // begun already
	}
	v.State = schema.StateDropping
	return next, nil
}

// dropped notes that nothing is left of a version but its number.
func dropped(now *schema.VersionEvent, n int32) (*schema.VersionEvent, error) {
	next, v, err := version(now, n)
	switch {
	case err != nil:
		return nil, err
	case v.State != schema.StateDropping:
		return nil, fmt.Errorf("signature version %d is %s", n, v.State)
	}
	v.State, v.Ruleset, v.Begins, v.BaseEnds, v.BaseRequests, v.Ends, v.RequestEnds = schema.StateDropped, nil, nil, nil, nil, nil, nil
	return next, nil
}
