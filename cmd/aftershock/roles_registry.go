package main

import (
	"context"
	"errors"

	"aftershock/schema"
	"aftershock/stream"
)

// liveRegistry is that of the newest version that is made for crashes that come now, or nil
// while nobody knows.
func (r *roles) liveRegistry() *schema.Registry {
	state := r.versions.Newest()
	if state == nil {
		return nil
	}
	var newest *schema.SignatureVersion
	for i := range state.Versions {
		if v := &state.Versions[i]; v.State == schema.StateLive && (newest == nil || v.Number > newest.Number) {
			newest = v
		}
	}
	if newest == nil {
		return nil
	}
	return r.registries.Known(newest.RegistryHash)
}

// followRegistries has the registries of live versions at hand, for the door, which waits for
// nobody.
func (r *roles) followRegistries(ctx context.Context) {
	r.versions.Each(ctx, func(state *schema.VersionEvent) {
		for i := range state.Versions {
			v := &state.Versions[i]
			if v.State != schema.StateLive {
				continue
			}
			if _, err := r.registries.Of(ctx, v.RegistryHash); err != nil && !errors.Is(err, stream.ErrNoRegistry) && ctx.Err() == nil {
				r.log.Warn().Err(err).Int32("signature_version", v.Number).Msg("the door does not know what this version never stores; processors do")
			}
		}
	})
}

// followVersions follows the versions log for a door alone, if that may be read: it opens
// without, and goes by its own registry then.
func (r *roles) followVersions(ctx context.Context) {
	if _, err := stream.NewestVersions(ctx, r.kafka); errors.As(err, new(*stream.AccessError)) {
		r.log.Info().Err(err).Msg("the door goes by its own annotation registry")
		return
	}
	r.versions.Run(ctx)
}
