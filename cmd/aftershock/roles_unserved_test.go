package main

import (
	"testing"

	"aftershock/schema"
)

// A version that an operator's command left held is told; one that a promotion holds is
// the promotion's.
func TestHaltedVersionsAreCounted(t *testing.T) {
	for _, tc := range []struct {
		state *schema.VersionEvent
		want  int
	}{
		{nil, 0},
		{&schema.VersionEvent{Versions: []schema.SignatureVersion{{State: schema.StateHeld}, {State: schema.StateLive}, {State: schema.StateHeld}}}, 2},
		{&schema.VersionEvent{Versions: []schema.SignatureVersion{{State: schema.StateHeld}}, Promotion: &schema.Promotion{}}, 0},
	} {
		if got := heldAlone(tc.state); got != tc.want {
			t.Errorf("%+v: %d, want %d", tc.state, got, tc.want)
		}
	}
}
