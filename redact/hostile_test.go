package redact_test

import (
	"testing"

	"aftershock/redact"
	"aftershock/schema"
)

// A fact that tells an annotation is hidden when the registry of today hides it.
func TestWhereItWasSubmittedIsHiddenWithItsAnnotation(t *testing.T) {
	registry, err := schema.DefaultRegistry.With([]byte("- {name: SubmittedFrom, type: word, class: protected, description: x}\n"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := redact.Public(&schema.ProcessedCrash{Facts: &schema.Facts{SubmittedFrom: new("Client")}}, registry)
	if err != nil {
		t.Fatal(err)
	}
	if got := public.Facts.SubmittedFrom; got != nil {
		t.Errorf("%q", *got)
	}
}
