package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aftershock/processor"
	"aftershock/schema"
	"aftershock/signature"
	"aftershock/stream"
)

// startCommand makes a signature version of what this binary ships with.
const startCommand = "aftershock replay start --ruleset default"

// seenLook is between looks at whether what is not served is seen.
const seenLook = time.Second

// unserved leaves a part alone that this binary cannot work on, until nobody wants it
// any more: neither of the two ever changes. Other versions are served.
func (r *roles) unserved(ctx context.Context, v *schema.SignatureVersion, part string, err error) error {
	if _, told := r.unservedTold.LoadOrStore(v.Number, true); !told {
		r.log.Error().Err(err).Int32("signature_version", v.Number).
			Msg("signature version not served: run the release that began it beside this one, or begin a version that this one serves: " + startCommand)
	}
	for ctx.Err() == nil {
		r.health.unserved(part, r.versions.Newest().Activation.Seen(time.Now()) == v.Number)
		pause(ctx, seenLook)
	}
	return nil
}

// registryLook is how long it may take to find out whether a registry can be had.
const registryLook = 5 * time.Second

// knows tells whether the registry with a hash can be had; while brokers are away, that it can.
func (r *roles) knows(hash string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), registryLook)
	defer cancel()
	_, err := r.registries.Of(ctx, hash)
	return !errors.Is(err, stream.ErrNoRegistry)
}

// promoting is 1 while the activation is about to change: what comes is not seen.
func promoting(newest func() *schema.VersionEvent) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "aftershock_promotion_under_way", Help: "1 while a promotion holds what is seen: new crashes are accepted and not seen.",
	}, func() float64 {
		if state := newest(); state != nil && state.Promotion != nil {
			return 1
		}
		return 0
	})
}

// halted is how many versions nobody processes although no promotion holds them.
func halted(newest func() *schema.VersionEvent) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "aftershock_versions_halted", Help: "Signature versions that are held while no promotion is under way: an operator's command ended in between, and the same one goes on with it.",
	}, func() float64 { return float64(heldAlone(newest())) })
}

// heldAlone counts the versions that are held by no promotion. state may be nil.
func heldAlone(state *schema.VersionEvent) (n int) {
	if state == nil || state.Promotion != nil {
		return 0
	}
	for _, v := range state.Versions {
		if v.State == schema.StateHeld {
			n++
		}
	}
	return n
}

// offer says when no version has what this binary ships with. Nothing changes by
// itself. Where what is seen cannot be served, unserved says it.
func (r *roles) offer(state *schema.VersionEvent) {
	seen := state.Version(state.Activation.Seen(time.Now()))
	if !offers(state) || seen != nil && servable(*seen, processor.Version, r.knows) != nil {
		return
	}
	r.log.Warn().Str("ruleset", fmt.Sprintf("%.12s", signature.Default().Hash())).Int("process_version", processor.Version).
		Msg("this release ships with newer rules or processing than any signature version: to see what they would change, " + startCommand)
}

// shipped tells whether a version's three parts are those of this binary.
func shipped(processVersion int32, ruleset, registry string) bool {
	return processVersion == processor.Version && ruleset == signature.Default().Hash() && registry == schema.DefaultRegistry.Hash()
}

// offers tells whether no version that is kept has the rules, the processing and the
// annotation registry of this binary.
func offers(state *schema.VersionEvent) bool {
	for _, v := range state.Versions {
		if !v.Gone() && shipped(v.ProcessVersion, v.RulesetHash, v.RegistryHash) {
			return false
		}
	}
	return true
}
